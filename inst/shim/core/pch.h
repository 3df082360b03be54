// Precompiled: the LibTorch headers that nearly every file of the shim needs.
#pragma once
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/runtime/operator.h>
#include <torch/csrc/jit/serialization/export.h>
#include <torch/script.h>
