// What a program's files say, checked before LibTorch reads them. LibTorch trusts them in three things that end the
// process if they are wrong: that a tensor's bytes are all there, that values are not nested without end, and that
// text is not. Whatever else is wrong with them LibTorch finds itself.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

namespace shim {

// Throws if the pickle is none that LibTorch can have written. `record_size`: bytes of the record of this name, -1 if
// there is none.
void check_pickle(const std::string& pickle, const std::function<int64_t(const std::string&)>& record_size);

// Throws if TorchScript text is nested deeper than LibTorch's recursive parser and compiler can follow.
void check_code(const std::string& code);

}  // namespace shim
