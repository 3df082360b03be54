# LibTorch's messages in the words of R users. Words that LibTorch says to its own developers, lists of its kernels
# and requests to report a bug are left out. The condition's `cpp_trace` keeps the whole text.

# This text marks a check that LibTorch makes of itself.
inner_check <- "A check inside of LibTorch"
is_inner_check <- function(message) grepl(inner_check, message, fixed = TRUE)

# The first rule whose pattern is found applies. Its function makes a sentence of what the pattern caught, and the
# sentence replaces the message from there on. Messages can quote long text of the user: a pattern that begins with what
# repeats is tied to where that begins, else each place in the text is tried with all that follows.
message_rules <- list(
  # A position of 0 becomes this number, which no tensor has as a position.
  list("index -9223372036854775807 is out of bounds[^\n]*", function() "Indexing in R is 1-based and found a 0."),
  list(
    "Could not run '(?:\\w+::)?([^'.]+)[^']*' with arguments from the '([^']+)' backend",
    function(operator, backend) no_kernel(operator, backend)
  ),
  list(
    "Expected one of [^\n]* device type at start of device string: ([^\n]*)",
    function(name) sprintf("There is no device \"%s\". Devices are \"cpu\", \"cuda\", \"cuda:0\", \"mps\", \"meta\" and their like.", name)
  ),
  list(
    "(?:^[^\n]*please report a bug to PyTorch\\. )?We don't have an op for aten::(\\w+) but it isn't a special case",
    function(name) sprintf("Programs have no operator for this form of `%s()`: compute it outside of the trace.", name)
  ),
  list("PyTorch is not linked with support for (\\w+) devices", function(device) no_device(device)),
  list("Cannot [^.\n]* without ATen_(\\w+) library", function(device) no_device(device)),
  list(
    paste0(
      "(?:Cannot access accelerator device when none is available|Found no NVIDIA driver|No CUDA GPUs are available|",
      "CUDA error: (?:CUDA driver version is insufficient|no CUDA-capable device))"
    ),
    function() no_device("cuda")
  ),
  list(
    "(?:\\[enforce fail at [^\n]*?\\] (?:[^\n]*?\\. )?)?(?:\\b\\w+: )?(?:can't allocate|not enough) memory: you tried to allocate (\\d+) bytes",
    function(bytes) no_memory(
      "", format_bytes(as.numeric(bytes)), sprintf("tensors hold %s", format_bytes(cpp_memory_stats(FALSE)[["live"]]))
    )
  ),
  list("Hint: [^\n]*torch\\.autograd\\.set_detect_anomaly[^\n]*", function() "`with_detect_anomaly()` tells which operator it was."),
  list(
    "a Tensor with (\\d+) elements cannot be converted to Scalar",
    function(n) sprintf("A tensor with %s elements is no single number: take one (`x[1]`), or all (`as_array(x)`; in programs `as.vector(x)`).", n)
  ),
  list(
    "Boolean value of Tensor with (?:more than one|no) values? is ambiguous",
    function() "A tensor that has not one element is neither TRUE nor FALSE: ask `x$all()` or `x$any()`."
  ),
  list("^index out of range in self$", function() "An index is beyond the size of the dimension in which it counts."),
  # What C++'s own library throws names a function of that library, which means nothing to users of R.
  list(
    "^(?:invalid )?sto(?:i|u?l|u?ll|f|d|ld)\\b[^\n]*$",
    function() "A text is not a number of the kind that is needed, or is too large."
  ),
  list(
    "^\\w+::[^\n]*\\(which is (\\d+)\\)[^\n]*\\(which is (\\d+)\\)$",
    function(position, size) {
      sprintf("LibTorch looked for position %s, counted from 0, in a list or text of %s.", position, size)
    }
  ),
  list("^(?:_Map_base|(?:unordered_)?map)::at\\b[^\n]*$", function() "LibTorch looked for a key that is not there."),
  list(
    "^(?:std::)?bad[_ ](?:any|cast|function|optional|variant|weak)[_ ]?\\w*(?: access)?$",
    function() "LibTorch needs a value that is not there, or is of another kind."
  ),
  list(
    "^(?:(?:basic_string|vector)::\\w+|cannot create std::[^\n]*)$",
    function() "A list or text would become longer than any can be."
  ),
  list("std::bad_alloc", function() "There is not enough memory."),
  list("^not enough memory$", function() "There is not enough memory."),
  list(
    "CUDA out of memory\\. Tried to allocate ([\\d.]+ \\w+)\\. GPU (\\d+) has a total capacity of ([\\d.]+ \\w+) of which ([\\d.]+ \\w+) is free",
    function(asked, device, all, free) no_memory(
      sprintf(" of the CUDA device %s", device), asked, sprintf("of its %s %s are free", all, free)
    )
  ),
  # LibTorch tells users of CUDA about documentation and about building LibTorch anew, which is of no use here.
  list(
    "CUDA error: device-side assert triggered",
    function() paste0(
      "A computation on the GPU failed, in this call or an earlier one, most often for an index or a label that is out of ",
      "range. This R session can't use the GPU any more: start a new one. On the CPU the same call says more."
    )
  ),
  list(
    "CUDA error: invalid device ordinal",
    function() sprintf("There is no CUDA device of that number: this machine has %d, counted from 0.", cuda_device_count())
  ),
  list(
    "CUDA error: ([^\n]+)\n.*CUDA kernel errors might",
    function(problem) sprintf(
      "CUDA error: %s. It may come from an earlier call: the environment variable CUDA_LAUNCH_BLOCKING=1 tells which.", problem
    )
  ),
  list(
    "(?<![.\\w])(?:\\w+::)?(\\w+)(?:[.]\\w+)*: attempted to run this operator with Meta tensors",
    function(operator) no_kernel(operator, "Meta")
  ),
  list(
    "There were no tensor arguments to this function .* for schema (?:\\w+::)?(\\w+)",
    function(operator) sprintf("`%s` needs at least one tensor.", operator)
  ),
  list(
    "(?m:^)([^\n]*) INTERNAL ASSERT FAILED at \"([^\"]*)\":(\\d+), please report a bug to PyTorch\\.\\s*(.*)",
    function(check, file, line, text) {
      if (!nzchar(text)) text <- sprintf("`%s` does not hold.", check)
      sprintf("%s (%s, %s:%s.)", text, inner_check, basename(file), line)
    }
  )
)

# Requests to write to LibTorch's developers, in brackets or as a sentence.
message_requests <- c(
  "(?<!\\s)\\s*\\(Could this error message be improved\\?[^)]*\\)",
  "(?<!\\s)\\s*(?<=[.!] )[^.\n]*[Pp]lease (?:report|file|open|submit)[^\n]*?(?:issue|bug|request)\\b[^\n]*"
)

plain_message <- function(message) {
  at <- regexpr("\nIn the TorchScript program:\n", message, fixed = TRUE)
  place <- if (at > 0) substring(message, at) else ""
  problem <- if (at > 0) substring(message, 1, at - 1) else message
  for (rule in message_rules) {
    found <- regmatches(problem, regexec(paste0("(?s)^(.*?)", rule[[1]]), problem, perl = TRUE))[[1]]
    if (length(found) > 0) {
      problem <- paste0(found[2], do.call(rule[[2]], as.list(found[-(1:2)])))
      break
    }
  }
  for (request in message_requests) problem <- gsub(request, "", problem, perl = TRUE)
  paste0(in_r_words(problem), place)
}

# Python's prefixes, with those of R's functions for the same. The text of programs and quoted text stay as they are.
python_families <- c(torch.linalg. = "linalg_", torch.nn.functional. = "nnf_", torch.fft. = "torch_fft_", torch. = "torch_")

in_r_words <- function(message) {
  if (!grepl("torch\\.|=(True|False|None)", message) || grepl("<--- HERE|\\baten::|\\bFile \"", message)) return(message)
  parts <- strsplit(message, "`", fixed = TRUE)[[1]]
  free <- seq(1, length(parts), by = 2)
  exports <- getNamespaceExports(topenv())
  for (family in names(python_families)) {
    found <- gregexpr(paste0("\\b\\Q", family, "\\E[a-z]\\w*"), parts[free], perl = TRUE)
    regmatches(parts[free], found) <- lapply(regmatches(parts[free], found), function(names) {
      ours <- paste0(python_families[[family]], substring(names, nchar(family) + 1))
      replace(names, ours %in% exports, ours[ours %in% exports])
    })
  }
  words <- c(True = "TRUE", False = "FALSE", None = "NULL")
  for (word in names(words)) {
    parts[free] <- gsub(paste0("(\\w)=", word, "\\b"), paste0("\\1 = ", words[[word]]), parts[free])
  }
  paste0(paste(parts, collapse = "`"), if (endsWith(message, "`")) "`")
}

no_device <- function(type) {
  name <- if (type %in% c("cuda", "hip", "mps", "xpu", "xla")) toupper(type) else type
  sprintf("There is no %s device that this LibTorch can use: `install_torch_sitrep()` tells which LibTorch it is.", name)
}

# LibTorch's kinds of tensors by the beginning of their names: in words, and with the call that makes an ordinary
# tensor of one.
tensor_kinds <- list(
  SparseCsr = c("sparse CSR", "$to_dense()"), Sparse = c("sparse", "$to_dense()"), Mkldnn = c("MKL-DNN", "$to_dense()"),
  Quantized = c("quantized", "$dequantize()"), NestedTensor = c("nested", "$to_padded_tensor(0)")
)

no_memory <- function(where, asked, used) {
  sprintf(
    "There is not enough memory%s: %s were asked for, and %s. Smaller tensors or batches need less, `rm()` of those that are done with frees more.",
    where, asked, used
  )
}

no_kernel <- function(operator, backend) {
  # Functions that make tensors fail if the device is not there.
  if (startsWith(operator, "empty")) return(no_device(tolower(backend)))
  if (backend == "Meta") return(sprintf("`%s` has no form for the device meta, whose tensors have no values.", operator))
  for (prefix in names(tensor_kinds)) {
    kind <- tensor_kinds[[prefix]]
    if (startsWith(backend, prefix)) {
      return(sprintf("`%s` has no form for %s tensors: use `x%s` to make an ordinary one.", operator, kind[1], kind[2]))
    }
  }
  sprintf("`%s` has no form for tensors of %s.", operator, backend)
}
