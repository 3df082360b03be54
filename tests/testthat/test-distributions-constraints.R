# Each: the constraint here, in Python, values some of which are not what it asks for.
constraint_case <- function(r, py, x) list(r = r, py = py, x = flat(x))

constraint_cases <- function() {
  numbers <- c(-1.5, -1, 0, 0.5, 1, 2, 3, NaN, Inf)
  rows <- rbind(c(0.2, 0.3, 0.5), c(0, 1, 0), c(1, 1, 0), c(-0.5, 0.5, 1), c(2, 0, 1), c(0.5, 0.5, 0.5))
  lower <- t(chol(spd))
  corr <- t(chol(stats::cov2cor(spd)))
  matrices <- aperm(simplify2array(list(spd, -spd, lower, corr, -corr, matrix(0, 3, 3), matrix(1:9, 3))), c(3, 1, 2))
  list(
    constraint_case(constraint_real, "c.real", numbers),
    constraint_case(constraint_boolean, "c.boolean", numbers),
    constraint_case(constraint_positive, "c.positive", numbers),
    constraint_case(constraint_nonnegative, "c.nonnegative", numbers),
    constraint_case(constraint_unit_interval, "c.unit_interval", numbers),
    constraint_case(constraint_nonnegative_integer, "c.nonnegative_integer", numbers),
    constraint_case(constraint_positive_integer, "c.positive_integer", numbers),
    constraint_case(constraint_greater_than(1), "c.greater_than(1)", numbers),
    constraint_case(constraint_greater_than_eq(1), "c.greater_than_eq(1)", numbers),
    constraint_case(constraint_less_than(1), "c.less_than(1)", numbers),
    constraint_case(constraint_interval(-1, 1), "c.interval(-1, 1)", numbers),
    constraint_case(constraint_half_open_interval(-1, 1), "c.half_open_interval(-1, 1)", numbers),
    constraint_case(constraint_integer_interval(-1, 2), "c.integer_interval(-1, 2)", numbers),
    constraint_case(constraint_real_vector, "c.real_vector", rbind(1:3, c(1, NaN, 2))),
    constraint_case(constraint_simplex, "c.simplex", rows),
    constraint_case(constraint_one_hot, "c.one_hot", rows),
    constraint_case(constraint_multinomial(2), "c.multinomial(2)", rbind(c(1, 1, 0), c(2, 1, 0), c(-1, 0, 1))),
    constraint_case(constraint_independent(constraint_positive, 1), "c.independent(c.positive, 1)", rows),
    constraint_case(constraint_independent(constraint_positive, 2), "c.independent(c.positive, 2)", matrices),
    constraint_case(constraint_independent(constraint_positive, 0), "c.independent(c.positive, 0)", rows),
    constraint_case(constraint_lower_triangular, "c.lower_triangular", matrices),
    constraint_case(constraint_lower_cholesky, "c.lower_cholesky", matrices),
    constraint_case(constraint_corr_cholesky, "c.corr_cholesky", matrices),
    constraint_case(constraint_square, "c.square", matrices),
    constraint_case(constraint_square, "c.square", matrices[, 1:2, ]),
    constraint_case(constraint_symmetric, "c.symmetric", matrices),
    constraint_case(constraint_symmetric, "c.symmetric", matrices[c(1, 6), , ]),
    constraint_case(constraint_positive_definite, "c.positive_definite", matrices),
    constraint_case(constraint_positive_definite, "c.positive_definite", matrices[c(1, 2, 6), , ]),
    constraint_case(constraint_positive_semidefinite, "c.positive_semidefinite", matrices[c(1, 2, 6), , ]),
    constraint_case(
      constraint_cat(list(constraint_positive, constraint_real), 2, c(1, 2)), "c.cat([c.positive, c.real], 1, [1, 2])", rows
    ),
    constraint_case(
      constraint_stack(list(constraint_positive, constraint_real, constraint_boolean), 2),
      "c.stack([c.positive, c.real, c.boolean], 1)", rows
    )
  )
}

constraint_program <- "
import json
import torch.distributions.constraints as c
def enc(t): return dict(s=list(t.shape), v=t.to(torch.float64).flatten().tolist())
out = []
for row in json.load(open(file)):
  v = [float(e) for e in row['x']['v']]
  k = eval(row['py'])
  ok = k.check(torch.tensor(v, dtype=torch.float64).reshape(row['x']['s']))
  out.append(dict(ok=enc(ok), dim=k.event_dim, discrete=bool(k.is_discrete)))
json.dump(out, open(file + '.out', 'w'))
result = len(out)
"

test_that("constraints hold where PyTorch's hold", {
  skip_if_no_torch()
  cases <- constraint_cases()
  file <- withr::local_tempfile(fileext = ".json")
  rows <- lapply(cases, function(case) {
    list(py = case$py, x = list(v = I(format(unlist(case$x$v), trim = TRUE, digits = 17)), s = case$x$s))
  })
  jsonlite::write_json(rows, file, digits = NA, auto_unbox = TRUE)
  python_eval(constraint_program, file = file)
  answers <- jsonlite::read_json(paste0(file, ".out"))
  for (i in seq_along(cases)) {
    x <- torch_tensor(unlist(cases[[i]]$x$v), dtype = "double")$reshape(unlist(cases[[i]]$x$s))
    constraint <- cases[[i]]$r
    expect_identical(distribution_difference(constraint$check(x), answers[[i]]$ok), NULL, info = cases[[i]]$py)
    expect_identical(constraint$event_dim, answers[[i]]$dim, info = cases[[i]]$py)
    expect_identical(constraint$is_discrete, answers[[i]]$discrete, info = cases[[i]]$py)
  }
})

test_that("constraints say what they ask for", {
  skip_if_no_torch()
  expect_snapshot({
    constraint_real
    constraint_positive
    constraint_interval(0, torch_tensor(c(1, 2)))
    constraint_less_than(torch_zeros(5))
    constraint_independent(constraint_boolean, 2)
    constraint_stack(list(constraint_positive, constraint_simplex))
    show_error(constraint_cat(list(1)))
  })
  expect_s3_class(constraint_greater_than(2), c("torch_GreaterThan", "torch_Constraint"), exact = TRUE)
  expect_identical(constraint_greater_than(2)$lower_bound, 2)
})
