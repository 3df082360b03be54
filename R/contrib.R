# Functions that LibTorch does not have.

#' Sort the corners of polygons
#'
#' Puts the corners of each convex polygon in order, so that its area follows from the shoelace formula. This serves
#' to compute the overlap of rotated boxes. The corners lie around the origin. Their order is anticlockwise, from the
#' positive x axis. Corners that coincide count once. The function works on every device.
#'
#' @param vertices Tensor of shape (B, N, M, 2), M at least 9: candidates for the corners of N polygons, x and y, less
#'   their mean. The first eight are the corners of the two boxes, the others intersections of their sides.
#' @param mask Bool tensor of shape (B, N, M): which of them are corners.
#' @param num_valid Integer tensor of shape (B, N): how many they are, at most eight.
#' @return An int64 tensor of shape (B, N, 9): the positions of the corners, from 1, and then the first position
#'   again. The places that are left hold the position of an intersection that is no corner, whose coordinates should
#'   be zero. If there are fewer than three corners, all nine places hold it.
#' @section Errors:
#' A shape other than these is a `value_error`, something else than a tensor a `type_error`.
#' @examplesIf torch::torch_is_installed()
#' corner <- torch_tensor(cbind(c(1, -1, -1, 1, 0, 0, 0, 0, 0), c(1, -1, 1, -1, 0, 0, 0, 0, 0)))
#' mask <- torch_tensor(rep(c(TRUE, FALSE), c(4, 5)))
#' contrib_sort_vertices(corner$view(c(1, 1, 9, 2)), mask$view(c(1, 1, 9)), torch_tensor(matrix(4L)))
#' @export
contrib_sort_vertices <- function(vertices, mask, num_valid) {
  check_tensor(vertices, "vertices")
  check_tensor(mask, "mask")
  check_tensor(num_valid, "num_valid")
  shape <- dim(vertices)
  if (length(shape) != 4 || shape[4] != 2 || shape[3] < 9) {
    value_error(sprintf("`vertices` must have shape (B, N, M, 2) with M at least 9, not %s.", shape_text(vertices)))
  }
  expect_shape(mask, "mask", shape[1:3])
  expect_shape(num_valid, "num_valid", shape[1:2])
  with_no_grad({
    xy <- vertices$detach()
    mask <- mask$to(dtype = "bool")
    angle <- torch_remainder(torch_atan2(xy$select(4, 2), xy$select(4, 1)), 2 * pi)
    ordered <- torch_sort(torch_where(mask, angle, Inf), dim = 3)
    # Only the first of several coinciding corners stays.
    placed <- torch_gather(xy, 3, ordered[[2]]$unsqueeze(4)$expand(c(-1, -1, -1, 2)))
    gap <- torch_diff(placed, dim = 3)$abs()$amax(dim = 4)
    same <- torch_cat(list(torch_zeros_like(gap$narrow(3, 1, 1))$to(dtype = "bool"), gap < 1e-8), dim = 3)
    again <- torch_sort(torch_where(same, Inf, ordered[[1]]), dim = 3, stable = TRUE)
    index <- torch_gather(ordered[[2]], 3, again[[2]])
    n <- torch_minimum((again[[1]] < Inf)$sum(dim = 3), num_valid$to(dtype = "int64"))$unsqueeze(3)
    padding <- mask$narrow(3, 9, shape[3] - 8)$logical_not()$to(dtype = "int64")$argmax(dim = 3, keepdim = TRUE) + 8L
    place <- torch_arange(1L, 9L, device = vertices$device)
    out <- torch_where(place <= n, index$narrow(3, 1, 9), padding)
    out <- torch_where(place == n + 1L, index$narrow(3, 1, 1), out)
    torch_where(n < 3, padding, out)
  })
}

shape_text <- function(x) paste0("(", paste(dim(x), collapse = ", "), ")")

expect_shape <- function(x, arg, shape, call = caller_env()) {
  if (identical(as.double(dim(x)), as.double(shape))) return()
  value_error(sprintf("`%s` must have shape (%s), not %s.", arg, paste(shape, collapse = ", "), shape_text(x)), call)
}
