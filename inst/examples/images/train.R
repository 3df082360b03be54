# A convolutional network on images:  Rscript train.R [FOLDER]
#
# The images are digits that R draws itself: in nine of its stroke fonts, at random sizes, places and slants, with
# noise. The network sees 3000 of them and reads 1000 others. The base is a linear classifier: lm() of each digit's
# indicator on the pixels, where the largest fitted value wins.
# Writes digits.pt (the model), digits-loss.png and digits-read.png into FOLDER, by default `demo-output`.

library(torch)

args <- commandArgs(trailingOnly = TRUE)
output <- if (length(args)) args[[1]] else "demo-output"
dir.create(output, recursive = TRUE, showWarnings = FALSE)

set.seed(1)
torch_manual_seed(1)

# --- data ------------------------------------------------------------------------------------------------------------

side <- 20
fonts <- list(
  c("sans serif", "plain"), c("sans serif", "bold"), c("sans serif", "italic"), c("sans serif", "bold italic"),
  c("serif", "plain"), c("serif", "bold"), c("serif", "italic"), c("serif", "bold italic"), c("script", "plain")
)

# The grey values of a bitmap file, from 0 (white) to 1, as a matrix whose first row is the top one.
read_bmp <- function(file) {
  bytes <- readBin(file, "raw", file.size(file))
  number <- function(at, size) readBin(bytes[at + seq_len(size)], "integer", size = size, endian = "little")
  width <- number(18, 4)
  height <- number(22, 4)
  depth <- number(28, 2) / 8
  # Rows are padded to a multiple of four bytes, the bottom one comes first.
  pixels <- matrix(bytes[-seq_len(number(10, 4))], ncol = height)[seq_len(width * depth), height:1]
  grey <- as.integer(pixels[seq(1, nrow(pixels), by = depth), ])
  if (depth == 1) grey <- as.integer(bytes[54 + 4 * grey + 1])
  1 - t(matrix(grey, width)) / 255
}

# An array of images, one for each digit, all drawn on one sheet.
draw_digits <- function(digits) {
  columns <- 50
  rows <- ceiling(length(digits) / columns)
  file <- tempfile(fileext = ".bmp")
  bmp(file, width = columns * side, height = rows * side)
  par(mar = c(0, 0, 0, 0), xaxs = "i", yaxs = "i", lwd = 1.5)
  plot.new()
  plot.window(c(0, columns), c(0, rows))
  place <- seq_along(digits) - 1
  for (i in seq_along(digits)) {
    at <- c(place[i] %% columns, rows - 1 - place[i] %/% columns) + 0.5 + runif(2, -0.12, 0.12)
    font <- fonts[[sample(length(fonts), 1)]]
    text(at[1], at[2], digits[i], cex = runif(1, 1, 1.6), srt = rnorm(1, 0, 12), vfont = font)
  }
  dev.off()
  sheet <- read_bmp(file)
  images <- vapply(place, function(k) {
    sheet[k %/% columns * side + 1:side, k %% columns * side + 1:side]
  }, matrix(0, side, side))
  images <- aperm(images, c(3, 1, 2))
  images + rnorm(length(images), sd = 0.15)
}

digits <- sample(0:9, 4000, replace = TRUE)
images <- draw_digits(digits)
train <- 1:3000
test <- 3001:4000
# One channel; classes count from 1, so that the digit 0 is class 1.
x <- torch_tensor(images)$unsqueeze(2)
y <- torch_tensor(digits + 1L)

# --- model -----------------------------------------------------------------------------------------------------------

model <- nn_sequential(
  nn_conv2d(1, 8, kernel_size = 3, padding = 1), nn_batch_norm2d(8), nn_relu(), nn_max_pool2d(2),
  nn_conv2d(8, 16, kernel_size = 3, padding = 1), nn_batch_norm2d(16), nn_relu(), nn_max_pool2d(2),
  nn_flatten(), nn_dropout(0.2), nn_linear(16 * (side / 4)^2, 10)
)
print(summary(model, x[1:2]))

# --- training --------------------------------------------------------------------------------------------------------

batches <- dataloader(tensor_dataset(x = x[train], y = y[train]), batch_size = 50, shuffle = TRUE)
read_digits <- function(rows) {
  model$eval()
  as_array(torch_argmax(with_no_grad(model(x[rows])), dim = 2)) - 1
}
accuracy <- function(read) mean(read == digits[test])

epochs <- 8
optimizer <- optim_adam(model$parameters)
schedule <- lr_one_cycle(optimizer, max_lr = 0.01, epochs = epochs, steps_per_epoch = length(batches))
history <- data.frame(epoch = seq_len(epochs), loss = NA_real_, held_out = NA_real_)

cat("\n")
for (epoch in seq_len(epochs)) {
  model$train()
  losses <- c()
  loop(for (batch in batches) {
    optimizer$zero_grad()
    loss <- nnf_cross_entropy(model(batch$x), batch$y)
    loss$backward()
    optimizer$step()
    schedule$step()
    losses <- c(losses, loss$item())
  })
  history[epoch, -1] <- c(mean(losses), 100 * accuracy(read_digits(test)))
  cat(sprintf("Epoch %d: loss %.3f, %.1f %% of held-out images read\n", epoch, mean(losses), history$held_out[epoch]))
}

# --- against lm() on images that neither has seen --------------------------------------------------------------------

pixels <- matrix(images, nrow(images))
indicators <- outer(digits[train], 0:9, "==") + 0
linear <- lm(indicators ~ pixels[train, ])
by_lm <- max.col(cbind(1, pixels[test, ]) %*% coef(linear)) - 1
by_net <- read_digits(test)
cat(sprintf(
  "\nRead of %d images that neither has seen: network %.1f %%, lm %.1f %%\n",
  length(test), 100 * accuracy(by_net), 100 * accuracy(by_lm)
))

# --- pictures --------------------------------------------------------------------------------------------------------

png(file.path(output, "digits-loss.png"), width = 900, height = 700, res = 120)
plot(history$epoch, 100 - history$held_out,
  type = "b", pch = 19, lwd = 2, col = "steelblue", log = "y", ylim = c(0.1, 100),
  xlab = "Epoch", ylab = "Errors on held-out images (%)", main = "Digits: training"
)
abline(h = 100 * (1 - accuracy(by_lm)), lty = 2, col = "grey40")
legend("topright", c("network", "lm"), lty = 1:2, lwd = 2:1, col = c("steelblue", "grey40"), bty = "n")
invisible(dev.off())

png(file.path(output, "digits-read.png"), width = 1200, height = 560, res = 120)
par(mfrow = c(3, 8), mar = c(0.5, 0.5, 1.8, 0.5))
for (i in 1:24) {
  image(t(images[test[i], side:1, ]), col = grey.colors(30, 1, 0), axes = FALSE)
  right <- by_net[i] == digits[test[i]]
  title(by_net[i], col.main = if (right) "steelblue" else "firebrick")
}
invisible(dev.off())

# --- the same model in Python ----------------------------------------------------------------------------------------

model$eval()
traced <- jit_trace(model, x[test])
file <- file.path(output, "digits.pt")
jit_save(traced, file)

# The first held-out images, as raw bytes: 32-bit numbers, row by row.
asked <- test[1:12]
bytes <- file.path(output, "digits.bin")
writeBin(buffer_from_torch_tensor(x[asked]), bytes)
cat("\nThe first twelve of them:\n")
cat("  drawn: ", digits[asked], "\n")
cat("  R:     ", read_digits(asked), "\n")

# The Python of the LibTorch in use. R's LD_LIBRARY_PATH would lead it to another LibTorch.
python <- torch:::libtorch_find()$python
if (is.null(python)) {
  cat("  This LibTorch came without Python.\n")
} else {
  script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
  here <- if (length(script)) dirname(script) else system.file("examples/images", package = "torch")
  arguments <- c(file.path(here, "predict.py"), file, bytes)
  answer <- withr::with_envvar(c(LD_LIBRARY_PATH = NA), system2(python, shQuote(arguments), stdout = TRUE))
  cat("  Python:", answer, "\n")
}
cat("\nIn ", normalizePath(output), ": digits.pt, digits-loss.png, digits-read.png\n", sep = "")
