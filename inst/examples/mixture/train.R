# A mixture of distributions whose parameters a network gives:  Rscript train.R [FOLDER]
#
# `faithful` holds eruptions of the Old Faithful geyser. How long is the next one after a wait of 65 minutes? It may be
# short, it may be long, but hardly anything between: no single normal distribution says that. The network gives, for
# each wait, the shares, means and widths of two normal distributions; its loss is their log-likelihood. lm(), whose
# residuals are normal with one width, is the base. The score is the mean log-likelihood of held-out eruptions.
# Writes geyser.pt (the model), geyser-loss.png and geyser-density.png into FOLDER, by default `demo-output`.

library(torch)

args <- commandArgs(trailingOnly = TRUE)
output <- if (length(args)) args[[1]] else "demo-output"
dir.create(output, recursive = TRUE, showWarnings = FALSE)

set.seed(1)
torch_manual_seed(1)

# --- data ------------------------------------------------------------------------------------------------------------

held_out <- sample(nrow(faithful), 90)
train <- faithful[-held_out, ]
test <- faithful[held_out, ]
wait <- function(rows) torch_tensor(rows$waiting)
length_of <- function(rows) torch_tensor(rows$eruptions)

# --- model -----------------------------------------------------------------------------------------------------------

geyser_net <- nn_module(
  "geyser_net",
  initialize = function(components = 2, hidden = 16) {
    self$hidden <- nn_linear(1, hidden)
    self$parameters_of <- nn_linear(hidden, 3 * components)
  },
  # The parameters of the mixture for each wait: shares, means, widths.
  mixture = function(wait) {
    h <- torch_tanh(self$hidden((wait$unsqueeze(-1) - 70) / 14))
    parts <- torch_chunk(self$parameters_of(h), 3, dim = -1)
    distr_mixture_same_family(
      distr_categorical(logits = parts[[1]]),
      distr_normal(loc = 3.5 + parts[[2]], scale = nnf_softplus(parts[[3]]) + 0.05)
    )
  },
  # What a client asks for: the density of each length after each wait.
  forward = function(wait, length) torch_exp(self$mixture(wait)$log_prob(length))
)

model <- geyser_net()

# --- training --------------------------------------------------------------------------------------------------------

score <- function(rows) with_no_grad(model$mixture(wait(rows))$log_prob(length_of(rows)))$mean()$item()

steps <- 800
optimizer <- optim_adam(model$parameters, lr = 0.01)
schedule <- lr_cosine_annealing(optimizer, T_max = steps)
history <- data.frame(step = seq_len(steps), train = NA_real_, held_out = NA_real_)

for (step in seq_len(steps)) {
  optimizer$zero_grad()
  loss <- -model$mixture(wait(train))$log_prob(length_of(train))$mean()
  loss$backward()
  optimizer$step()
  schedule$step()
  history$train[step] <- -loss$item()
  history$held_out[step] <- score(test)
  if (step %% 200 == 0) {
    cat(sprintf("Step %3d: mean log-likelihood %6.3f in training, %6.3f held out\n", step, -loss$item(), score(test)))
  }
}

# --- against lm() on eruptions that neither has seen -----------------------------------------------------------------

linear <- lm(eruptions ~ waiting, train)
by_lm <- mean(dnorm(test$eruptions, predict(linear, test), sigma(linear), log = TRUE))
cat(sprintf("\nMean log-likelihood of %d held-out eruptions: network %.3f, lm %.3f\n", nrow(test), score(test), by_lm))

# One number instead of a distribution: its mean.
rmse <- function(predicted) sqrt(mean((predicted - test$eruptions)^2))
means <- as_array(with_no_grad(model$mixture(wait(test))$mean))
cat(sprintf("RMSE of the mean: network %.3f min, lm %.3f min\n", rmse(means), rmse(predict(linear, test))))

# --- pictures --------------------------------------------------------------------------------------------------------

png(file.path(output, "geyser-loss.png"), width = 900, height = 700, res = 120)
matplot(history$step, history[c("train", "held_out")],
  type = "l", lty = 1, lwd = 2, col = c("grey60", "steelblue"), ylim = c(by_lm - 0.3, max(history$train)),
  xlab = "Step", ylab = "Mean log-likelihood", main = "Eruptions of Old Faithful: training"
)
abline(h = by_lm, lty = 2, col = "grey40")
legend("bottomright", c("network, in training", "network, held out", "lm, held out"),
  lty = c(1, 1, 2), lwd = c(2, 2, 1), col = c("grey60", "steelblue", "grey40"), bty = "n"
)
invisible(dev.off())

png(file.path(output, "geyser-density.png"), width = 900, height = 700, res = 120)
waits <- seq(43, 96, 0.5)
lengths <- seq(1.3, 5.4, 0.05)
grid <- expand.grid(wait = waits, length = lengths)
density <- with_no_grad(model(torch_tensor(grid$wait), torch_tensor(grid$length)))
image(waits, lengths, matrix(sqrt(as_array(density)), length(waits)),
  col = hcl.colors(30, "Blues 3", rev = TRUE), useRaster = TRUE, main = "The network's density and held-out eruptions",
  xlab = "Wait before the eruption (min)", ylab = "Length of the eruption (min)"
)
points(test$waiting, test$eruptions, pch = 1)
abline(linear, lty = 2)
legend("topleft", "lm", lty = 2, bty = "n")
invisible(dev.off())

# --- the same model in Python ----------------------------------------------------------------------------------------

model$eval()
traced <- jit_trace(model, wait(test), length_of(test))
file <- file.path(output, "geyser.pt")
jit_save(traced, file)

lengths <- c(2, 3, 4)
cat("\nDensity of eruptions of 2, 3 and 4 minutes after a wait of 65 minutes:\n")
cat("  R:     ", sprintf("%.4f", as_array(with_no_grad(model(torch_tensor(65), torch_tensor(lengths))))), "\n")
cat("  lm:    ", sprintf("%.4f", dnorm(lengths, predict(linear, data.frame(waiting = 65)), sigma(linear))), "\n")

# The Python of the LibTorch in use. R's LD_LIBRARY_PATH would lead it to another LibTorch.
python <- torch:::libtorch_find()$python
if (is.null(python)) {
  cat("  This LibTorch came without Python.\n")
} else {
  script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
  here <- if (length(script)) dirname(script) else system.file("examples/mixture", package = "torch")
  arguments <- c(file.path(here, "predict.py"), file, "65", lengths)
  answer <- withr::with_envvar(c(LD_LIBRARY_PATH = NA), system2(python, shQuote(arguments), stdout = TRUE))
  cat("  Python:", answer, "\n")
}
cat("\nIn ", normalizePath(output), ": geyser.pt, geyser-loss.png, geyser-density.png\n", sep = "")
