# Each: the call here, the same in Python, a value of its domain.
transform_case <- function(r, py, x) list(r = substitute(r), py = py, x = flat(x))

transform_cases <- function() {
  numbers <- rbind(c(-1.5, 0.3, 2), c(0.1, -0.4, 0.9))
  list(
    transform_case(transform_identity(), "D.identity_transform", numbers),
    transform_case(transform_exp(), "D.ExpTransform()", numbers),
    transform_case(transform_exp()$inv, "D.ExpTransform().inv", abs(numbers)),
    transform_case(transform_affine(1, -2), "D.AffineTransform(1., -2.)", numbers),
    transform_case(
      transform_affine(torch_tensor(c(1, 2, 3), dtype = "double"), 2, event_dim = 1),
      "D.AffineTransform(torch.tensor([1., 2., 3.]), 2., event_dim=1)", numbers
    ),
    transform_case(transform_power(2.5), "D.PowerTransform(torch.tensor(2.5))", abs(numbers)),
    transform_case(transform_power(-1), "D.PowerTransform(torch.tensor(-1.))", abs(numbers)),
    transform_case(transform_sigmoid(), "D.SigmoidTransform()", numbers),
    transform_case(transform_tanh(), "D.TanhTransform()", numbers),
    transform_case(transform_softplus(), "D.SoftplusTransform()", numbers),
    transform_case(transform_softmax(), "D.SoftmaxTransform()", numbers),
    transform_case(transform_abs(), "D.AbsTransform()", numbers),
    transform_case(transform_stick_breaking(), "D.StickBreakingTransform()", numbers),
    transform_case(transform_stick_breaking()$inv, "D.StickBreakingTransform().inv", simplex2),
    transform_case(transform_corr_cholesky(), "D.CorrCholeskyTransform()", numbers),
    transform_case(transform_lower_cholesky(), "D.LowerCholeskyTransform()", spd2),
    transform_case(transform_positive_definite(), "D.PositiveDefiniteTransform()", spd2),
    transform_case(
      transform_cumulative_distribution(distr_normal(torch_tensor(0, dtype = "double"), 1)),
      "D.CumulativeDistributionTransform(D.Normal(torch.tensor(0.), 1.))", numbers
    ),
    transform_case(transform_reshape(c(2, 3), 6), "D.ReshapeTransform((2, 3), (6,))", numbers),
    transform_case(
      transform_compose(list(transform_exp(), transform_affine(1, 2))),
      "D.ComposeTransform([D.ExpTransform(), D.AffineTransform(1., 2.)])", numbers
    ),
    transform_case(
      transform_compose(list(transform_affine(1, 2), transform_stick_breaking())),
      "D.ComposeTransform([D.AffineTransform(1., 2.), D.StickBreakingTransform()])", numbers
    ),
    transform_case(transform_independent(transform_exp(), 1), "D.IndependentTransform(D.ExpTransform(), 1)", numbers),
    transform_case(
      transform_stack(list(transform_exp(), transform_tanh()), dim = 1),
      "D.StackTransform([D.ExpTransform(), D.TanhTransform()], dim=0)", numbers
    ),
    transform_case(
      transform_cat(list(transform_exp(), transform_tanh()), dim = 2, lengths = c(1, 2)),
      "D.CatTransform([D.ExpTransform(), D.TanhTransform()], dim=1, lengths=[1, 2])", numbers
    ),
    transform_case(biject_to(constraint_positive), "D.biject_to(D.constraints.positive)", numbers),
    transform_case(biject_to(constraint_real), "D.biject_to(D.constraints.real)", numbers),
    transform_case(biject_to(constraint_greater_than(3)), "D.biject_to(D.constraints.greater_than(3.))", numbers),
    transform_case(biject_to(constraint_less_than(3)), "D.biject_to(D.constraints.less_than(3.))", numbers),
    transform_case(biject_to(constraint_unit_interval), "D.biject_to(D.constraints.unit_interval)", numbers),
    transform_case(biject_to(constraint_interval(-1, 3)), "D.biject_to(D.constraints.interval(-1., 3.))", numbers),
    transform_case(
      biject_to(constraint_half_open_interval(-1, 3)), "D.biject_to(D.constraints.half_open_interval(-1., 3.))", numbers
    ),
    transform_case(biject_to(constraint_simplex), "D.biject_to(D.constraints.simplex)", numbers),
    transform_case(transform_to(constraint_simplex), "D.transform_to(D.constraints.simplex)", numbers),
    transform_case(biject_to(constraint_real_vector), "D.biject_to(D.constraints.real_vector)", numbers),
    transform_case(transform_to(constraint_lower_cholesky), "D.transform_to(D.constraints.lower_cholesky)", spd2),
    transform_case(transform_to(constraint_positive_definite), "D.transform_to(D.constraints.positive_definite)", spd2),
    transform_case(biject_to(constraint_corr_cholesky), "D.biject_to(D.constraints.corr_cholesky)", numbers),
    transform_case(
      biject_to(constraint_stack(list(constraint_positive, constraint_real), 1)),
      "D.biject_to(D.constraints.stack([D.constraints.positive, D.constraints.real], dim=0))", numbers
    ),
    transform_case(
      biject_to(constraint_cat(list(constraint_positive, constraint_real), 2, c(1, 2))),
      "D.biject_to(D.constraints.cat([D.constraints.positive, D.constraints.real], dim=1, lengths=[1, 2]))", numbers
    )
  )
}

transform_program <- "
import json
import torch.distributions as D
torch.set_default_dtype(torch.float64)
def enc(t): return dict(s=list(t.shape), v=t.detach().to(torch.float64).flatten().tolist())
out = []
for row in json.load(open(file)):
  t = eval(row['py'])
  x = torch.tensor(row['x']['v'], dtype=torch.float64).reshape(row['x']['s']).requires_grad_()
  y = t(x)
  one = dict(y=enc(y), grad=enc(torch.autograd.grad((y ** 2).sum(), x)[0]), inv=enc(t.inv(y)), bijective=t.bijective,
    dims=[t.domain.event_dim, t.codomain.event_dim], ok=enc(t.codomain.check(y)))
  try:
    one['det'] = enc(t.log_abs_det_jacobian(x, y))
  except NotImplementedError: pass
  try: one['shapes'] = [list(t.forward_shape(x.shape)), list(t.inverse_shape(y.shape))]
  except NotImplementedError: pass
  out.append(one)
json.dump(out, open(file + '.out', 'w'))
result = len(out)
"

test_that("transforms, their inverses, gradients and determinants are PyTorch's", {
  skip_if_no_torch()
  cases <- transform_cases()
  file <- withr::local_tempfile(fileext = ".json")
  jsonlite::write_json(lapply(cases, `[`, c("py", "x")), file, digits = NA, auto_unbox = TRUE)
  python_eval(transform_program, file = file)
  answers <- jsonlite::read_json(paste0(file, ".out"))
  for (i in seq_along(cases)) {
    there <- answers[[i]]
    t <- eval(cases[[i]]$r)
    x <- torch_tensor(unlist(cases[[i]]$x$v), dtype = "double")$reshape(unlist(cases[[i]]$x$s))$requires_grad_(TRUE)
    y <- t(x)
    check <- function(here, there, what) {
      expect_identical(distribution_difference(here, there), NULL, info = paste(cases[[i]]$py, what))
    }
    check(y, there$y, "value")
    check(autograd_grad((y^2)$sum(), x)[[1]], there$grad, "gradient")
    check(t$inv(y), there$inv, "inverse")
    check(t$codomain$check(y), there$ok, "codomain")
    expect_identical(t$bijective, there$bijective)
    expect_identical(c(t$domain$event_dim, t$codomain$event_dim), unlist(there$dims), info = cases[[i]]$py)
    if (!is.null(there$det)) {
      check(t$log_abs_det_jacobian(x, y), there$det, "determinant")
      check(t$inv$log_abs_det_jacobian(y, x), list(s = there$det$s, v = lapply(there$det$v, `-`)), "inverse determinant")
    }
    if (!is.null(there$shapes)) {
      expect_identical(as.integer(t$forward_shape(x$shape)), as.integer(unlist(there$shapes[[1]])), info = cases[[i]]$py)
      expect_identical(as.integer(t$inverse_shape(y$shape)), as.integer(unlist(there$shapes[[2]])), info = cases[[i]]$py)
    }
  }
})

test_that("a determinant is that of the Jacobian", {
  skip_if_no_torch()
  x <- torch_tensor(c(0.3, -0.7, 1.2), dtype = "double", requires_grad = TRUE)
  for (t in list(transform_exp(), transform_sigmoid(), transform_tanh(), transform_softplus(), transform_affine(1, -3))) {
    slope <- autograd_grad(t(x)$sum(), x)[[1]]
    expect_equal(as_array(t$log_abs_det_jacobian(x, t(x))), as_array(log(abs(slope))), tolerance = 1e-8, info = format(t))
  }
  t <- transform_stick_breaking()
  rows <- lapply(1:3, function(i) as_array(autograd_grad(t(x)[i], x)[[1]]))
  expect_equal(
    as.numeric(t$log_abs_det_jacobian(x, t(x))), log(abs(det(do.call(rbind, rows)))), tolerance = 1e-8
  )
})

test_that("a transform of the user's has what it was given", {
  skip_if_no_torch()
  cube <- transform_function(
    "Cube", function(x) x^3, function(y) sign(y) * abs(y)^(1 / 3), function(x, y) log(3 * x^2), sign = 1
  )
  d <- distr_transformed(distr_normal(0, 1), cube)
  x <- torch_tensor(c(-8, 1, 27))
  expect_equal(as_array(cube$inv(x)), c(-2, 1, 3), tolerance = 1e-6)
  expect_equal(as_array(d$log_prob(x)), dnorm(c(-2, 1, 3), log = TRUE) - log(3 * c(4, 1, 9)), tolerance = 1e-6)
  expect_equal(as_array(d$cdf(x)), pnorm(c(-2, 1, 3)), tolerance = 1e-6)
  expect_identical(cube$inv$inv, cube)
  expect_snapshot({
    cube$inv
    transform_affine(1, torch_tensor(c(1, 2)))
    transform_compose(list(transform_exp(), transform_power(2)))
    show_error(transform_function("One", function(x) x)$inv(x))
    show_error(transform_function("One", function(x) x)$log_abs_det_jacobian(x, x))
    show_error(transform_softmax()$log_abs_det_jacobian(x, x))
    show_error(transform_compose(list(1)))
    show_error(transform_affine("a", 1))
    show_error(transform_reshape(c(2, 3), 5))
    show_error(transform_corr_cholesky()(torch_zeros(4)))
    show_error(transform_to(1))
    show_error(transform_to(constraint_nonnegative_integer))
    show_error(biject_to(constraint_positive_definite))
    show_error(distr_transformed(distr_normal(0, 1), transform_abs())$cdf(1))
  })
})

test_that("transforms know whether they are the same", {
  skip_if_no_torch()
  same <- function(a, b) same_transform(a, b)
  expect_true(same(transform_affine(1, torch_tensor(2)), transform_affine(1, torch_tensor(2))))
  expect_false(same(transform_affine(1, 2), transform_affine(1, 3)))
  expect_false(same(transform_exp(), transform_tanh()))
  expect_true(same(transform_compose(list(transform_exp())), transform_compose(list(transform_exp()))))
  expect_false(same(transform_compose(list(transform_exp())), transform_compose(list(transform_tanh()))))
})
