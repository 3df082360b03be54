test_that("functions show their graph, plan, code and schema", {
  skip_if_no_torch()
  f <- unit_of_many()$thrice
  expect_s3_class(f$graph, "graph_function")
  expect_output(print(f$graph), "^graph\\(%x")
  expect_match(as.character(f$graph), "prim::CallFunction")
  expect_no_match(as.character(f$inlined_graph), "prim::CallFunction")
  expect_match(as.character(f$graph_for(torch_tensor(1))), "^graph\\(.*aten::mul")
  expect_equal(f$schema, "thrice(Tensor x) -> Tensor")
  expect_null(f$nothing)
  # The code compiles to the same function.
  code <- unit_of_many()$scale$code
  expect_equal(as.numeric(jit_compile(code)$scale(torch_tensor(1), 5L)), 5)
  expect_output(print(f), "^<script_function>$")
})
