# Numbers and names that R and C++ agree on.

test_that("numbers that R passes on have the names that the header gives them", {
  header <- paste(readLines(file.path(shim_include(), "torch_shim.h")), collapse = "\n")
  header <- gsub("/\\*.*?\\*/", "", header, perl = TRUE)
  # The members of an enum of the header, by the words behind their common prefix.
  members <- function(enum, prefix) {
    body <- regmatches(header, regexec(sprintf("enum %s \\{([^}]*)\\}", enum), header))[[1]][2]
    tolower(sub(paste0("^", prefix), "", trimws(strsplit(body, ",")[[1]])))
  }
  same <- function(numbers, enum, prefix) {
    expect_equal(unname(numbers), seq_along(numbers) - 1L)
    expect_equal(names(numbers), members(enum, prefix))
  }
  same(registries, "ts_registry", "TS_REGISTRY_")
  same(graph_stages, "ts_graph_stage", "TS_GRAPH_")
  same(module_parts, "ts_module_part", "TS_MODULE_")
  same(object_parts, "ts_object_part", "TS_OBJECT_")
  same(object_members, "ts_object_member", "TS_MEMBER_")
  same(jit_switches, "ts_switch", "TS_SWITCH_")
  same(backend_facts, "ts_backend_fact", "TS_BACKEND_")
  same(pickled, "ts_pickled", "TS_PICKLED_")
  glue <- paste(readLines(source_files("src", "^tensor\\.cpp$")), collapse = " ")
  facts <- regmatches(glue, regexec("enum class Fact \\{([^}]*)\\}", glue))[[1]][2]
  expect_equal(names(tensor_facts), trimws(strsplit(facts, ",")[[1]]))
  expect_equal(unname(tensor_facts), seq_along(tensor_facts) - 1L)
})
