# A recurrent network on a series:  Rscript train.R [FOLDER]
#
# `sunspot.month` counts the spots of the sun since 1749. They come and go in cycles of some eleven years. The network
# reads eleven years of quarters and forecasts the next four. lm() on the same 44 numbers, one regression for each
# quarter ahead, is the linear forecast. The last fifty years are held out.
# Writes sunspots.pt (the model), sunspots-loss.png and sunspots-forecast.png into FOLDER, by default `demo-output`.

library(torch)

args <- commandArgs(trailingOnly = TRUE)
output <- if (length(args)) args[[1]] else "demo-output"
dir.create(output, recursive = TRUE, showWarnings = FALSE)

set.seed(1)
torch_manual_seed(1)

# --- data ------------------------------------------------------------------------------------------------------------

quarters <- aggregate(sunspot.month, nfrequency = 4, FUN = mean)
past <- 44
ahead <- 4

# Each row is a window, oldest quarter first.
windows <- embed(as.numeric(quarters), past + ahead)[, (past + ahead):1]
x <- windows[, 1:past]
y <- windows[, past + 1:ahead]
test <- tail(seq_len(nrow(windows)), 200)
# Windows that reach into the held-out years are in neither set.
train <- seq_len(nrow(windows) - length(test) - ahead)

# --- model -----------------------------------------------------------------------------------------------------------

# Counts become square roots, so that the error of a forecast is about as large in quiet years as in busy ones.
spots_net <- nn_module(
  "spots_net",
  initialize = function(train, hidden = 24) {
    self$centre <- nn_buffer(torch_tensor(mean(sqrt(train))))
    self$spread <- nn_buffer(torch_tensor(sd(sqrt(train))))
    self$gru <- nn_gru(1, hidden, batch_first = TRUE)
    self$dropout <- nn_dropout(0.2)
    self$change <- nn_linear(hidden, ahead)
  },
  scale = function(counts) (torch_sqrt(counts) - self$centre) / self$spread,
  # What the network computes is by how much the coming quarters differ from the last one.
  scaled = function(x) {
    x <- self$scale(x)
    states <- self$gru(x$unsqueeze(3))[[1]]
    x[, -1, newaxis] + self$change(self$dropout(states[, -1, ]))
  },
  forward = function(x) torch_clamp(self$scaled(x) * self$spread + self$centre, min = 0)^2
)

model <- spots_net(x[train, ])

# --- training --------------------------------------------------------------------------------------------------------

batches <- dataloader(
  tensor_dataset(x = torch_tensor(x[train, ]), y = torch_tensor(y[train, ])),
  batch_size = 32, shuffle = TRUE
)
forecast <- function(rows) {
  model$eval()
  as_array(with_no_grad(model(torch_tensor(x[rows, , drop = FALSE]))))
}
rmse <- function(predicted) sqrt(colMeans((predicted - y[test, ])^2))

epochs <- 30
optimizer <- optim_adamw(model$parameters, weight_decay = 0.05)
schedule <- lr_one_cycle(optimizer, max_lr = 0.01, epochs = epochs, steps_per_epoch = length(batches))
history <- data.frame(epoch = seq_len(epochs), held_out = NA_real_)

for (epoch in seq_len(epochs)) {
  model$train()
  loop(for (batch in batches) {
    optimizer$zero_grad()
    loss <- nnf_mse_loss(model$scaled(batch$x), model$scale(batch$y))
    loss$backward()
    nn_utils_clip_grad_norm_(model$parameters, 1)
    optimizer$step()
    schedule$step()
  })
  history$held_out[epoch] <- mean(rmse(forecast(test)))
  if (epoch %% 5 == 0) cat(sprintf("Epoch %2d: RMSE in the held-out years %5.2f\n", epoch, history$held_out[epoch]))
}

# --- against lm() on years that neither has seen ---------------------------------------------------------------------

linear <- lm(sqrt(y[train, ]) ~ sqrt(x[train, ]))
by_lm <- pmax(cbind(1, sqrt(x[test, ])) %*% coef(linear), 0)^2
by_net <- forecast(test)
scores <- rbind(
  network = rmse(by_net), lm = rmse(by_lm), "as in the last quarter" = rmse(x[test, rep(past, ahead)])
)
colnames(scores) <- paste(1:ahead, "ahead")
cat("\nRMSE of forecasts since", floor(tsp(quarters)[2] - 50), "in spots, by quarters ahead:\n")
print(round(scores, 1))

# --- pictures --------------------------------------------------------------------------------------------------------

png(file.path(output, "sunspots-loss.png"), width = 900, height = 700, res = 120)
plot(history$epoch, history$held_out,
  type = "l", lwd = 2, col = "steelblue", ylim = range(history$held_out, rowMeans(scores[1:2, ])),
  xlab = "Epoch", ylab = "RMSE, mean of four quarters (spots)", main = "Sunspots: training"
)
abline(h = mean(scores["lm", ]), lty = 2, col = "grey40")
legend("topright", c("network", "lm"), lty = 1:2, lwd = 2:1, col = c("steelblue", "grey40"), bty = "n")
invisible(dev.off())

png(file.path(output, "sunspots-forecast.png"), width = 1200, height = 700, res = 120)
time <- tail(as.numeric(time(quarters)), length(test))
matplot(time, cbind(y[test, ahead], by_net[, ahead], by_lm[, ahead]),
  type = "l", lty = c(1, 1, 2), lwd = c(1, 2, 1), col = c("grey60", "steelblue", "grey20"),
  xlab = "Year", ylab = "Spots", main = "Sunspots in the held-out years, forecast a year ahead"
)
legend("topright", c("counted", "network", "lm"),
  lty = c(1, 1, 2), lwd = c(1, 2, 1), col = c("grey60", "steelblue", "grey20"), bty = "n"
)
invisible(dev.off())

# --- the same model in Python ----------------------------------------------------------------------------------------

model$eval()
traced <- jit_trace(model, torch_tensor(x[test, ]))
file <- file.path(output, "sunspots.pt")
jit_save(traced, file)

last <- tail(test, 1)
# Eleven years of numbers come to Python in a file.
numbers <- file.path(output, "sunspots.csv")
write.table(x[last, ], numbers, row.names = FALSE, col.names = FALSE)
cat("\nForecast of the last year, in spots:\n")
cat("  counted:", sprintf("%6.2f", y[last, ]), "\n")
cat("  R:      ", sprintf("%6.2f", forecast(last)), "\n")

# The Python of the LibTorch in use. R's LD_LIBRARY_PATH would lead it to another LibTorch.
python <- torch:::libtorch_find()$python
if (is.null(python)) {
  cat("  This LibTorch came without Python.\n")
} else {
  script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
  here <- if (length(script)) dirname(script) else system.file("examples/series", package = "torch")
  arguments <- c(file.path(here, "predict.py"), file, numbers)
  answer <- withr::with_envvar(c(LD_LIBRARY_PATH = NA), system2(python, shQuote(arguments), stdout = TRUE))
  cat("  Python: ", answer, "\n")
}
cat("\nIn ", normalizePath(output), ": sunspots.pt, sunspots-loss.png, sunspots-forecast.png\n", sep = "")
