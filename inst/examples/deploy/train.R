# From an R data frame to a file that needs no R:  Rscript train.R [FOLDER]
#
# How deep is an earthquake near Fiji? `quakes` holds 1000 of them. Their depth follows the plate that dives below
# another one, a bent surface, so that a small network predicts it better from place and magnitude than lm() does.
# Writes quakes.pt (the model), loss.png, predicted.png and network.png, and the graphs as graphs.txt; fails if the
# network does not win on held-out rows.

library(torch)

args <- commandArgs(trailingOnly = TRUE)
output <- if (length(args)) args[[1]] else "demo-output"
dir.create(output, recursive = TRUE, showWarnings = FALSE)

set.seed(1)
torch_manual_seed(1)

# --- data ------------------------------------------------------------------------------------------------------------

predictors <- c("lat", "long", "mag")
held_out <- sample(nrow(quakes), 200)
train <- quakes[-held_out, ]
test <- quakes[held_out, ]

inputs <- function(rows) torch_tensor(as.matrix(rows[predictors]))
targets <- function(rows) torch_tensor(matrix(rows$depth), dtype = torch_float())

quakes_dataset <- dataset(
  "quakes_dataset",
  initialize = function(rows) {
    self$x <- inputs(rows)
    self$y <- targets(rows)
  },
  .getbatch = function(i) list(x = self$x[i, ], y = self$y[i, ]),
  .length = function() self$y$size(1)
)

batches <- dataloader(quakes_dataset(train), batch_size = 50, shuffle = TRUE)

# --- model -----------------------------------------------------------------------------------------------------------

# Scaling is a part of the model, in buffers: programs in other languages give degrees and get kilometres.
depth_net <- nn_module(
  "depth_net",
  initialize = function(rows, hidden = 32) {
    self$x_mean <- nn_buffer(torch_mean(inputs(rows), dim = 1))
    self$x_sd <- nn_buffer(torch_std(inputs(rows), dim = 1))
    self$y_mean <- nn_buffer(torch_mean(targets(rows), dim = 1))
    self$y_sd <- nn_buffer(torch_std(targets(rows), dim = 1))
    self$first <- nn_linear(length(predictors), hidden)
    self$second <- nn_linear(hidden, hidden)
    self$third <- nn_linear(hidden, 1)
    self$dropout <- nn_dropout(0.1)
  },
  forward = function(x) {
    x <- (x - self$x_mean) / self$x_sd
    x <- nnf_relu(self$first(x))
    x <- self$dropout(x)
    x <- nnf_relu(self$second(x))
    self$third(x) * self$y_sd + self$y_mean
  }
)

model <- depth_net(train)

# --- training --------------------------------------------------------------------------------------------------------

predict_depth <- function(model, rows) as.numeric(with_no_grad(model(inputs(rows))))
rmse <- function(predicted, rows) sqrt(mean((predicted - rows$depth)^2))

optimizer <- optim_adam(model$parameters, lr = 0.01)
epochs <- 80
losses <- data.frame(epoch = seq_len(epochs), train = NA_real_, held_out = NA_real_)

for (epoch in seq_len(epochs)) {
  model$train()
  squares <- c()
  loop(for (batch in batches) {
    optimizer$zero_grad()
    loss <- nnf_mse_loss(model(batch$x), batch$y)
    loss$backward()
    optimizer$step()
    squares <- c(squares, loss$item())
  })
  model$eval()
  losses$train[epoch] <- sqrt(mean(squares))
  losses$held_out[epoch] <- rmse(predict_depth(model, test), test)
  if (epoch == 1 || epoch %% 10 == 0) {
    cat(sprintf(
      "Epoch %2d: RMSE %5.1f km in training, %5.1f km on held-out rows\n",
      epoch, losses$train[epoch], losses$held_out[epoch]
    ))
  }
}

# --- against lm() on rows that neither has seen ----------------------------------------------------------------------

linear <- lm(depth ~ lat + long + mag, data = train)

by_net <- predict_depth(model, test)
by_lm <- predict(linear, test)
cat(sprintf(
  "\nRMSE on %d held-out rows: network %.1f km, lm %.1f km\n", nrow(test), rmse(by_net, test), rmse(by_lm, test)
))

# --- pictures --------------------------------------------------------------------------------------------------------

picture <- function(name, draw) {
  png(file.path(output, name), width = 900, height = 700, res = 120)
  on.exit(dev.off())
  draw()
}

picture("loss.png", function() {
  matplot(losses$epoch, losses[c("train", "held_out")],
    type = "l", lty = 1, lwd = 2, col = c("grey50", "steelblue"), ylim = c(0, max(losses$train, losses$held_out)),
    xlab = "Epoch", ylab = "RMSE (km)", main = "Depth of earthquakes near Fiji: training"
  )
  legend("topright", c("training batches, with dropout", "held-out rows"),
    col = c("grey50", "steelblue"), lty = 1, lwd = 2, bty = "n"
  )
})

picture("predicted.png", function() {
  par(pty = "s")
  plot(test$depth, by_lm,
    pch = 1, col = "grey50", xlim = c(0, 700), ylim = c(0, 700),
    xlab = "True depth (km)", ylab = "Predicted depth (km)", main = "Held-out earthquakes"
  )
  abline(0, 1, col = "grey70")
  points(test$depth, by_net, pch = 19, col = "steelblue")
  legend("topleft", c("network", "lm"), pch = c(19, 1), col = c("steelblue", "grey50"), bg = "white")
})

# --- deployment ------------------------------------------------------------------------------------------------------

model$eval()
traced <- jit_trace(model, inputs(test))

# What the trace holds, as a picture and as text, and LibTorch's plan for it.
picture("network.png", function() plot(traced))
with_no_grad(capture.output(traced$graph, traced$graph_for(inputs(test)), file = file.path(output, "graphs.txt")))

model_file <- file.path(output, "quakes.pt")
jit_save(traced, model_file)

about <- c(
  quakes.pt = "the model, which needs no R", loss.png = "error by epoch", predicted.png = "predicted and true depths",
  network.png = "what the model computes", graphs.txt = "the same as text, as traced and as planned"
)
cat("\nWritten to ", output, ":\n", sprintf("  %-14s %s\n", names(about), about), sep = "")

if (rmse(by_net, test) >= rmse(by_lm, test)) stop("The network does not beat lm() on the held-out rows.")
