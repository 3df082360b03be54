# A table with factors, by embeddings:  Rscript train.R [FOLDER]
#
# `ChickWeight` holds the weights of 50 chicks on 4 diets, twelve times each. How heavy is a chick on a day on which it
# was not weighed? lm() gives each chick a curve of its own, three numbers from some ten weighings. The network gives
# each chick and each diet a place in a small space, an embedding, and learns one function of place and day for all.
# Writes chicks.pt (the model), chicks-loss.png and chicks-curves.png into FOLDER, by default `demo-output`.

library(torch)

args <- commandArgs(trailingOnly = TRUE)
output <- if (length(args)) args[[1]] else "demo-output"
dir.create(output, recursive = TRUE, showWarnings = FALSE)

set.seed(1)
torch_manual_seed(1)

# --- data ------------------------------------------------------------------------------------------------------------

chicks <- data.frame(
  chick = factor(as.character(ChickWeight$Chick)), diet = ChickWeight$Diet,
  day = ChickWeight$Time, weight = ChickWeight$weight
)
held_out <- sample(nrow(chicks), 120)
train <- chicks[-held_out, ]
test <- chicks[held_out, ]

# Factors become their codes, which count from 1, as embeddings do.
columns <- function(rows) {
  list(
    chick = torch_tensor(as.integer(rows$chick)), diet = torch_tensor(as.integer(rows$diet)),
    day = torch_tensor(rows$day), weight = torch_tensor(rows$weight)
  )
}

batches <- dataloader(do.call(tensor_dataset, columns(train)), batch_size = 32, shuffle = TRUE)

# --- model -----------------------------------------------------------------------------------------------------------

growth_net <- nn_module(
  "growth_net",
  initialize = function(chicks, diets, hidden = 32) {
    self$chick <- nn_embedding(chicks, 4)
    self$diet <- nn_embedding(diets, 2)
    self$first <- nn_linear(4 + 2 + 1, hidden)
    self$second <- nn_linear(hidden, hidden)
    self$third <- nn_linear(hidden, 1)
  },
  # The logarithm of the weight: chicks grow by rates.
  log_weight = function(chick, diet, day) {
    torch_cat(list(self$chick(chick), self$diet(diet), day$unsqueeze(-1) / 10 - 1), dim = -1) %>%
      self$first() %>%
      torch_tanh() %>%
      self$second() %>%
      torch_tanh() %>%
      self$third() %>%
      torch_squeeze(-1) %>%
      torch_add(4.5)
  },
  forward = function(chick, diet, day) torch_exp(self$log_weight(chick, diet, day))
)

model <- growth_net(nlevels(chicks$chick), nlevels(chicks$diet))

# --- training --------------------------------------------------------------------------------------------------------

predict_weight <- function(rows) {
  x <- columns(rows)
  as_array(with_no_grad(model(x$chick, x$diet, x$day)))
}
rmse <- function(predicted) sqrt(mean((predicted - test$weight)^2))

epochs <- 150
optimizer <- optim_adamw(model$parameters, weight_decay = 0.05)
schedule <- lr_one_cycle(optimizer, max_lr = 0.02, epochs = epochs, steps_per_epoch = length(batches))
history <- data.frame(epoch = seq_len(epochs), held_out = NA_real_)

for (epoch in seq_len(epochs)) {
  loop(for (batch in batches) {
    optimizer$zero_grad()
    loss <- nnf_mse_loss(model$log_weight(batch$chick, batch$diet, batch$day), torch_log(batch$weight))
    loss$backward()
    optimizer$step()
    schedule$step()
  })
  history$held_out[epoch] <- rmse(predict_weight(test))
  if (epoch %% 30 == 0) cat(sprintf("Epoch %3d: RMSE on held-out rows %5.1f g\n", epoch, history$held_out[epoch]))
}

# --- against lm() on rows that neither has seen ----------------------------------------------------------------------

lines <- lm(log(weight) ~ day * chick, train)
# Chicks that died early have too few weighings for a curve; lm() warns and gives them a simpler one.
curves <- lm(log(weight) ~ poly(day, 2) * chick, train)
scores <- c(
  network = rmse(predict_weight(test)),
  "lm, a line for each chick" = rmse(exp(predict(lines, test))),
  "lm, a parabola for each chick" = rmse(exp(suppressWarnings(predict(curves, test))))
)
cat(sprintf("\nRMSE on %d weighings that no model has seen:\n", nrow(test)))
cat(sprintf("  %-30s %5.1f g\n", names(scores), scores), sep = "")

# --- pictures --------------------------------------------------------------------------------------------------------

png(file.path(output, "chicks-loss.png"), width = 900, height = 700, res = 120)
plot(history$epoch, history$held_out,
  type = "l", lwd = 2, col = "steelblue", log = "y", ylim = range(history$held_out, scores),
  xlab = "Epoch", ylab = "RMSE on held-out rows (g)", main = "Weights of chicks: training"
)
abline(h = scores[-1], lty = 2:3, col = "grey40")
legend("topright", names(scores), lty = 1:3, lwd = c(2, 1, 1), col = c("steelblue", "grey40", "grey40"), bty = "n")
invisible(dev.off())

png(file.path(output, "chicks-curves.png"), width = 900, height = 700, res = 120)
some <- c("13", "20", "24", "34", "35", "48")
colours <- palette.colors(length(some), "Dark 2")
plot(weight ~ day, chicks[chicks$chick %in% some, ],
  type = "n", xlab = "Day", ylab = "Weight (g)", main = "Six chicks: weighings and the network's curves"
)
for (i in seq_along(some)) {
  rows <- chicks[chicks$chick == some[i], ]
  unseen <- rownames(rows) %in% rownames(test)
  points(rows$day, rows$weight, pch = ifelse(unseen, 1, 19), col = colours[i])
  days <- data.frame(chick = rows$chick[1], diet = rows$diet[1], day = seq(0, 21, 0.25), weight = 0)
  lines(days$day, predict_weight(days), col = colours[i])
}
legend("topleft", c("in training", "held out"), pch = c(19, 1), bty = "n")
invisible(dev.off())

# --- the same model in Python ----------------------------------------------------------------------------------------

# The names of the chicks travel with the model, so that a client can ask by name.
model$eval()
x <- columns(test)
traced <- jit_trace(model, x$chick, x$diet, x$day)
file <- file.path(output, "chicks.pt")
jit_save(traced, file, extra_files = list(chicks.txt = paste(levels(chicks$chick), collapse = "\n")))

question <- data.frame(
  chick = factor("24", levels(chicks$chick)), diet = factor(2, levels(chicks$diet)), day = 13, weight = NA_real_
)
cat("\nWeight of chick 24 on diet 2, on day 13, on which nobody weighed it:\n")
cat(sprintf("  R:      %.3f g\n", predict_weight(question)))

# The Python of the LibTorch in use. R's LD_LIBRARY_PATH would lead it to another LibTorch.
python <- torch:::libtorch_find()$python
if (is.null(python)) {
  cat("  This LibTorch came without Python.\n")
} else {
  script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
  here <- if (length(script)) dirname(script) else system.file("examples/embeddings", package = "torch")
  arguments <- c(file.path(here, "predict.py"), file, "24", "2", "13")
  answer <- withr::with_envvar(c(LD_LIBRARY_PATH = NA), system2(python, shQuote(arguments), stdout = TRUE))
  cat("  Python:", answer, "g\n")
}
cat("\nIn ", normalizePath(output), ": chicks.pt, chicks-loss.png, chicks-curves.png\n", sep = "")
