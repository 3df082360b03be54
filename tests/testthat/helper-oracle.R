# The oracle of the operators: cases made by type of argument (helper-oracle-cases.R), each called here and, on the same
# data, in one Python process through torch.ops.aten, where PyTorch itself chooses the overload. What counts from 1 is told
# by the tables of tests/testthat/fixtures, not by the package. tools/oracle.R prints how many cases of each name agree.

# The rows of a table of tests/testthat/fixtures.
fixture <- function(name) {
  utils::read.delim(testthat::test_path("fixtures", name), quote = "", comment.char = "", colClasses = "character")
}

# Areas of exports.tsv that hold operators.
oracle_areas <- c(
  "comparison", "dtype", "fft/spectral", "indexing", "linalg", "nn op (torch_ namespace)", "pointwise", "quantization",
  "random sampling", "reduction", "shape", "sorting/searching", "tensor creation"
)

# Names that coverage.tsv says are tested elsewhere, or not at all.
not_of_oracle <- function() {
  known <- fixture("coverage.tsv")
  known$name[known$test != "-" | known$left_out != "-" | known$uncounted != "-"]
}

oracle_names <- function() {
  known <- fixture("exports.tsv")
  known[known$area %in% oracle_areas & !known$name %in% not_of_oracle(), ]
}

oracle_members <- function() {
  known <- fixture("tensor-methods.tsv")
  known[!paste0("$", known$name) %in% not_of_oracle(), ]
}

oracle_cases <- function(seed = 1, names = oracle_names()$name, methods = TRUE) {
  withr::local_seed(seed)
  known <- oracle_names()
  out <- list()
  add <- function(name, arguments) out <<- c(out, lapply(arguments, function(a) list(name = name, arguments = a)))
  for (i in match(names, known$name)) {
    name <- known$name[i]
    template <- oracle_templates[[name]]
    if (!is.null(template)) {
      for (dtype in c("float32", "float64")) for (strided in c(FALSE, TRUE)) for (grad in c(FALSE, TRUE)) {
        variant$dtype <- dtype
        variant$strided <- strided
        variant$grad <- grad && !endsWith(name, "_")
        add(name, eval(template))
      }
      variant$grad <- variant$strided <- FALSE
      variant$dtype <- "float32"
    }
    if (name %in% names(oracle_dtype_names)) add(name, list(list()))
    formals <- known$formals[i]
    pointwise <- known$area[i] %in% c("pointwise", "comparison")
    if (pointwise && formals == "(self)" && !endsWith(name, "_")) add(name, unary_cases())
    if (pointwise && grepl("^\\(self, (other|exponent)", formals)) {
      add(name, binary_cases(if (grepl("exponent", formals)) "exponent" else "other"))
    }
  }
  if (methods) c(out, method_cases()) else out
}

# A method without arguments, or with one other operand, has cases of every dtype. Beside these it has its own, else those
# of the function of its name.
method_cases <- function() {
  known <- oracle_members()
  unary <- Filter(function(case) !case$self$grad, unary_cases())
  binary <- Filter(function(case) !isTRUE(case$self$grad), binary_cases("other"))
  out <- list()
  add <- function(name, arguments) out <<- c(out, lapply(arguments, function(a) list(name = paste0("$", name), arguments = a)))
  for (i in seq_len(nrow(known))) {
    name <- known$name[i]
    if (known$formals[i] == "()") add(name, unary[sample(length(unary), 24)])
    if (startsWith(known$formals[i], "(other")) add(name, binary[sample(length(binary), 24)])
    base <- sub("_$", "", name)
    template <- oracle_method_templates[[paste0("$", name)]]
    own <- !is.null(template)
    if (!own) {
      template <- oracle_templates[[paste0("torch_", name)]] %||% oracle_templates[[paste0("torch_", base)]] %||%
        oracle_method_templates[[paste0("$", base)]]
    }
    for (dtype in c("float32", "float64")) for (strided in if (own && !is_in_place(name)) c(FALSE, TRUE) else FALSE) {
      variant$dtype <- dtype
      variant$strided <- strided
      arguments <- lapply(eval(template), function(a) stats::setNames(a, sub("^input$", "self", names(a))))
      add(name, Filter(function(a) inherits(a$self, "oracle_tensor"), arguments))
    }
    variant$strided <- FALSE
    variant$dtype <- "float32"
  }
  out
}

# `$add_` and `$__iand__` give the tensor itself.
is_in_place <- function(method) grepl("^(__i.*__|.*[^_]_)$", method)

# --- both sides ----------------------------------------------------------------------------------------------------

oracle_index <- function() {
  utils::read.delim(testthat::test_path("fixtures/index-arguments.tsv"), quote = "", colClasses = "character")
}

# From 1 to 0, as a user of Python would write it.
from_one <- function(x) {
  if (is.null(x)) return(NULL)
  if (inherits(x, "oracle_tensor")) {
    if (x$dtype != "bool") x$values <- ifelse(x$values > 0, x$values - 1, x$values)
    x
  } else if (is.list(x)) {
    lapply(x, from_one)
  } else {
    ifelse(x > 0, x - 1L, x)
  }
}

encode <- function(x) {
  if (is.null(x)) return(list(k = "none"))
  if (inherits(x, "oracle_tensor")) {
    v <- x$values
    v <- if (is.complex(v)) as.list(c(rbind(Re(v), Im(v)))) else as.list(v)
    v <- lapply(v, function(e) if (is.nan(e)) "nan" else e)
    return(list(k = "tensor", v = v, s = as.list(x$shape), d = x$dtype, strided = x$strided, g = x$grad, kind = x$kind))
  }
  if (is.list(x)) return(list(k = "list", v = lapply(unname(x), encode)))
  if (is.character(x) && x %in% oracle_dtypes) return(list(k = "dtype", v = x))
  if (is.character(x)) return(list(k = "raw", v = x))
  if (is.double(x) && length(x) == 1) return(list(k = "float", v = if (is.finite(x)) x else "inf"))
  list(k = "raw", v = if (length(x) == 1) x else as.list(x))
}

# Where R takes a number for a list of one or for a tensor, Python is asked again with that.
oracle_program <- c(
  "torch.set_num_threads(1)",
  "import warnings",
  "warnings.simplefilter('ignore')",
  "def arange_to(start, end, step=1, dtype=None):",
  "  whole = all(isinstance(v, int) for v in (start, end, step))",
  "  return torch.arange(start, end + (abs(step) / step if whole else step / 2), step, dtype=dtype or (torch.int64 if whole else torch.float32))",
  sprintf("kinds = dict(%s)", paste0(names(oracle_kinds), " = lambda t: ", vapply(oracle_kinds, `[[`, "", 2), collapse = ", ")),
  "def member(op):",
  "  def call(self, **k):",
  "    m = getattr(self, op)",
  "    return m(**k) if callable(m) else m",
  "  return call",
  "def decode(a, leaves):",
  "  k = a['k']",
  "  if k == 'none': return None",
  "  if k == 'list': return [decode(v, leaves) for v in a['v']]",
  "  if k == 'dtype': return getattr(torch, a['v'])",
  "  if k == 'float': return float(a['v'])",
  "  if k == 'raw': return a['v']",
  "  v = [float(e) if isinstance(e, str) else e for e in a['v']]",
  "  if a['d'].startswith('complex'): v = [complex(v[i], v[i + 1]) for i in range(0, len(v), 2)]",
  "  t = torch.tensor(v, dtype=getattr(torch, a['d'])).reshape(a['s'])",
  "  if a['strided']:",
  "    if t.dim() > 1: t = t.transpose(0, -1).contiguous().transpose(0, -1)",
  "    elif t.dim() == 1: t = torch.stack([t, t], 1)[:, 0]",
  "  if a['kind']: t = kinds[a['kind']](t)",
  "  if a['g']: t = t.detach().requires_grad_(True); leaves.append(t)",
  "  return t",
  "def number(v): return v if v == v and abs(v) != float('inf') else str(v)",
  "def encode(r):",
  "  if isinstance(r, torch.Tensor):",
  "    d = str(r.dtype)[6:]",
  "    if r.layout != torch.strided: r = r.to_dense()",
  "    if r.is_quantized: r = r.dequantize()",
  "    if r._is_zerotensor(): r = torch.zeros(r.shape, dtype=r.dtype)",
  "    v = r.detach().resolve_conj().resolve_neg().flatten()",
  "    v = torch.view_as_real(v.to(torch.complex128)).flatten() if v.is_complex() else v.to(torch.float64)",
  "    return dict(k='tensor', d=d, s=list(r.shape), v=[number(e) for e in v.tolist()])",
  "  if isinstance(r, (list, tuple)): return dict(k='list', v=[encode(e) for e in r])",
  "  if isinstance(r, torch.dtype): return dict(k='dtype', v=str(r)[6:])",
  "  if isinstance(r, complex): return dict(k='number', v=[number(r.real), number(r.imag)])",
  "  if isinstance(r, float): return dict(k='number', v=[number(r)])",
  "  return dict(k='raw', v=r)",
  "def run(case):",
  "  leaves = []",
  "  arguments = {n: decode(a, leaves) for n, a in dict(case['a']).items()}",
  "  torch.manual_seed(3)",
  "  f = eval(case['py']) if case['py'] else getattr(torch.ops.aten, case['op'], None) or member(case['op'])",
  "  try: r = f(**arguments)",
  "  except Exception as e:",
  "    if 'match any schema' not in str(e) and 'Expected a value' not in str(e): raise",
  "    lists = ('stride', 'padding', 'dilation', 'output_padding', 'shape', 'size', 'dims', 'shifts', 'dim', 'kernel_size', 'output_size')",
  "    try: r = f(**{n: [v] if n in lists and type(v) is int else v for n, v in arguments.items()})",
  "    except Exception: r = f(**{n: torch.tensor(v, dtype=next((t.dtype for t in arguments.values() if isinstance(t, torch.Tensor) and t.is_floating_point()), None)) if isinstance(v, (int, float)) else v for n, v in arguments.items()})",
  "  out = dict(r=encode(r), g=[])",
  "  first = r[0] if isinstance(r, (list, tuple)) and len(r) else r",
  "  if leaves and isinstance(first, torch.Tensor) and first.requires_grad:",
  "    try:",
  "      s = (first.real if first.is_complex() else first).sum()",
  "      out['g'] = [encode(g) if g is not None else None for g in torch.autograd.grad(s, leaves, allow_unused=True)]",
  "    except RuntimeError as e: out['g'] = 'error'",
  "  return out",
  "result = []",
  "for case in json.load(open(file)):",
  "  try: result.append(run(case))",
  "  except Exception as e: result.append(dict(error=str(e).split(chr(10))[0]))",
  "json.dump(result, open(file + '.out', 'w'))",
  "result = len(result)"
)

decode_here <- function(x, leaves) {
  if (inherits(x, "oracle_tensor")) {
    v <- x$values
    t <- torch_tensor(if (length(v)) v else numeric(), dtype = x$dtype, device = leaves$device)$reshape(x$shape)
    if (x$strided && length(x$shape) > 1) t <- t$transpose(1, -1)$contiguous()$transpose(1, -1)
    if (x$strided && length(x$shape) == 1) t <- torch_stack(list(t, t), 2)[, 1]
    if (nzchar(x$kind)) t <- oracle_kinds[[x$kind]][[1]](t)
    if (x$grad) {
      t <- t$detach()$requires_grad_(TRUE)
      leaves$all <- c(leaves$all, list(t))
    }
    return(t)
  }
  if (is.list(x)) lapply(x, decode_here, leaves) else x
}

run_here <- function(case, device = "cpu") {
  local_device(device)
  leaves <- new.env()
  leaves$all <- list()
  leaves$device <- device
  arguments <- lapply(case$arguments, decode_here, leaves)
  torch_manual_seed(3)
  method <- startsWith(case$name, "$")
  f <- if (method) arguments$self[[substring(case$name, 2)]] else get(case$name, asNamespace("torch"))
  r <- if (is.function(f)) do.call(f, if (method) arguments[names(arguments) != "self"] else arguments) else f
  if (is_torch_tensor(r) && r$is_neg()) r <- r$resolve_neg()
  if (method && is_in_place(substring(case$name, 2)) && !identical(r, arguments$self)) r <- "not the tensor itself"
  first <- if (is.list(r) && length(r)) r[[1]] else r
  g <- list()
  if (length(leaves$all) && is_torch_tensor(first) && first$requires_grad) {
    g <- tryCatch({
      s <- (if (first$is_complex()) first$real else first)$sum()
      autograd_grad(s, leaves$all, allow_unused = TRUE)
    }, error = function(e) "error")
  }
  list(r = r, g = g)
}

# What differs between a value here and the answer of Python, NULL if nothing does.
oracle_difference <- function(here, there, shift = FALSE) {
  switch(there$k,
    tensor = {
      if (!is_torch_tensor(here)) return(paste("no tensor but", class(here)[1]))
      dtype <- unname(oracle_dtypes[as.character(here$dtype)])
      if (is.na(dtype)) dtype <- tolower(as.character(here$dtype))
      if (dtype != there$d) return(sprintf("dtype %s, not %s", dtype, there$d))
      if (here$layout != torch_strided()) here <- here$to_dense()
      if (here$is_quantized()) here <- here$dequantize()
      if (!identical(as.integer(dim(here)), as.integer(unlist(there$s)))) {
        return(sprintf("shape (%s), not (%s)", paste(dim(here), collapse = ", "), paste(unlist(there$s), collapse = ", ")))
      }
      wanted <- as.double(unlist(there$v))
      flat <- here$detach()$flatten()
      v <- if (here$is_complex()) {
        z <- as_array(flat)
        c(rbind(Re(z), Im(z)))
      } else {
        as.double(as_array(flat$to(dtype = "double")))
      }
      if (shift) wanted <- wanted + 1
      close <- (is.nan(v) & is.nan(wanted)) | v == wanted | abs(v - wanted) <= 1e-5 + 1e-5 * abs(wanted)
      if (!all(close %in% TRUE)) sprintf("values %s, not %s", paste(format(v), collapse = " "), paste(format(wanted), collapse = " "))
    },
    list = {
      if (is_torch_tensor(here) || length(here) != length(there$v)) return(sprintf("%d results, not %d", length(here), length(there$v)))
      for (i in seq_along(here)) {
        d <- oracle_difference(here[[i]], there$v[[i]], i %in% shift)
        if (!is.null(d)) return(paste0("[[", i, "]]: ", d))
      }
      NULL
    },
    number = {
      wanted <- as.double(unlist(there$v))
      have <- if (is.complex(here)) c(Re(here), Im(here)) else here
      if (!isTRUE(all.equal(as.double(have), wanted))) paste(format(here), "not", paste(format(wanted), collapse = " "))
    },
    dtype = if (!identical(unname(oracle_dtypes[as.character(here)]), there$v)) paste("dtype", format(here)),
    if (!isTRUE(all.equal(unclass(here), there$v, check.attributes = FALSE))) paste("not", format(there$v))
  )
}

case_text <- function(case) {
  one <- function(x) {
    if (!inherits(x, "oracle_tensor")) return(if (is.list(x)) "list" else paste(format(x), collapse = " "))
    sprintf("%s (%s)%s%s%s", x$dtype, paste(x$shape, collapse = ", "), if (x$strided) " strided" else "", if (x$grad) " grad" else "", x$kind)
  }
  paste(names(case$arguments), vapply(case$arguments, one, ""), sep = " = ", collapse = "; ")
}

# A data frame with a row for each case: name, whether both agree, how ("values" or "error"), what differs.
oracle_compare <- function(cases) {
  index <- oracle_index()
  key <- paste(index$name, index$argument)
  extra <- c("size dim", "linalg_tensorinv ind", "movedim source", "movedim destination", "linalg_matrix_norm dim", "linalg_norm dim", "linalg_vector_norm dim", "moveaxis source", "moveaxis destination", "swapaxes axis0", "swapaxes axis1", "swapaxes_ axis0", "swapaxes_ axis1", "unfold dimension", "quantize_per_channel axis", "narrow start", "narrow_copy start")
  for_python <- lapply(cases, function(case) {
    op <- sub("^(torch_|[$])", "", case$name)
    rename <- torch:::op_facts(op)$rename
    arguments <- case$arguments
    for (n in names(arguments)) {
      if (paste(op, n) %in% c(key, extra)) arguments[n] <- list(from_one(arguments[[n]]))
    }
    if (op == "bincount") arguments$self <- from_one(arguments$self)
    python <- oracle_python[case$name]
    if (case$name %in% names(oracle_dtype_names)) python <- paste0("lambda: torch.", oracle_dtype_names[[case$name]])
    if (is.na(python) && length(rename)) {
      # Several names of the schema may be one here: the first fits the usual overload.
      hit <- match(names(arguments), rename[rename != "self"])
      names(arguments)[!is.na(hit)] <- names(rename[rename != "self"])[hit[!is.na(hit)]]
    }
    list(op = op, py = if (is.na(python)) "" else unname(python), a = lapply(arguments, encode))
  })
  file <- withr::local_tempfile(fileext = ".json")
  jsonlite::write_json(for_python, file, digits = NA, auto_unbox = TRUE, null = "null")
  python_eval(oracle_program, file = file)
  there <- jsonlite::read_json(paste0(file, ".out"), simplifyVector = FALSE)
  rows <- Map(function(case, answer) {
    here <- tryCatch(suppressWarnings(run_here(case)), error = function(e) e)
    as_function <- sub("^[$]", "torch_", case$name)
    shift <- oracle_positions[as_function]
    # One result of an operator with positions beside its values holds none.
    if (identical(unname(shift), 2L) && !inherits(here, "error") && is_torch_tensor(here$r)) shift <- 0L
    difference <- if (inherits(here, "error") && !is.null(answer$error)) {
      NULL
    } else if (inherits(here, "error")) {
      paste("error:", conditionMessage(here))
    } else if (!is.null(answer$error)) {
      # Whole numbers serve operators of integers here, also where R holds them as doubles.
      note <- op_notes[[sub("^(torch_|[$])", "", case$name)]]
      whole <- length(note_fields(note$whole)) > 0 && grepl("for 'Float'|type Float", answer$error)
      if (!whole) paste("no error, but", answer$error)
    } else {
      d <- oracle_difference(here$r, answer$r, if (is.na(shift)) 0L else if (is_torch_tensor(here$r)) shift == 1L else shift)
      if (is.null(d) && (identical(here$g, "error") != identical(answer$g, "error"))) d <- "gradient: one side fails"
      if (is.null(d) && !identical(here$g, "error")) {
        if (length(here$g) != length(answer$g)) d <- sprintf("%d gradients, not %d", length(here$g), length(answer$g))
        for (i in seq_along(here$g)) {
          if (!is.null(d)) break
          none <- is_undefined_tensor(here$g[[i]])
          if (none || is.null(answer$g[[i]])) {
            if (none != is.null(answer$g[[i]])) d <- "gradient: one side has none"
          } else {
            e <- oracle_difference(here$g[[i]], answer$g[[i]])
            if (!is.null(e)) d <- paste("gradient:", e)
          }
        }
      }
      d
    }
    data.frame(
      name = case$name, agree = is.null(difference), how = if (inherits(here, "error")) "error" else "values",
      difference = if (is.null(difference)) "" else paste0(case_text(case), ": ", difference)
    )
  }, cases, there)
  do.call(rbind, rows)
}
