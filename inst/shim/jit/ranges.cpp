#include "jit/ranges.h"

#include <torch/csrc/jit/frontend/source_range.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "core/pch.h"

namespace shim {
namespace {

using torch::jit::Source;
using torch::jit::SourceRange;
using MaybeRange = decltype(std::declval<torch::jit::SourceRangeUnpickler&>().findSourceRangeThatGenerated(
    std::declval<const SourceRange&>()));

// The places of one file of code. The record is read when a place is first asked for.
class Ranges final : public torch::jit::SourceRangeUnpickler {
 public:
  Ranges(const std::string& text, const std::string& file, SafeText safe, std::string record)
      : original_(std::make_shared<Source>(text, file, 1)), safe_(std::move(safe)), record_(std::move(record)) {
    safe_.text.clear();
  }

  MaybeRange findSourceRangeThatGenerated(const SourceRange& range) override {
    const std::lock_guard<std::mutex> hold(lock_);
    if (!record_.empty()) read();
    const size_t start = safe_.before(range.start());
    const auto next = places_.upper_bound(start);
    if (next != places_.begin()) return std::prev(next)->second;
    if (safe_.moves.empty()) return {};
    return SourceRange(original_, start, safe_.before(range.end()));
  }

 private:
  // Reads the record. Errors in it are ignored, since places serve messages only.
  void read() {
    const std::string record = std::move(record_);
    record_.clear();
    try {
      const auto all = torch::jit::unpickle(record.data(), record.size()).toTuple();
      const auto& items = all->elements();
      if (!items.empty() && items[0].isString() && items[0].toStringRef() == "FORMAT_WITH_STRING_TABLE") {
        TORCH_CHECK(items.size() >= 3, "a part is missing");
        for (const auto& text : items[1].toTupleRef().elements()) texts_.push_back(text.toStringRef());
        add_places(items[2].toTupleRef().elements());
      } else {
        add_places(items);
      }
    } catch (const std::exception&) {
    }
    sources_.clear();
  }

  template <class Lines>
  void add_places(const Lines& lines) {
    for (const auto& line : lines) {
      const auto& items = line.toTupleRef().elements();
      TORCH_CHECK(items.size() >= 2, "a part is missing");
      const auto& place = items[1].toTupleRef().elements();
      TORCH_CHECK(place.size() >= 3, "a part is missing");
      const auto source = source_of(place[0]);
      const int64_t start = place[1].toInt(), end = place[2].toInt();
      if (start < 0 || start > end || static_cast<size_t>(end) > source->size()) continue;
      places_.insert_or_assign(static_cast<size_t>(items[0].toInt()),
                               SourceRange(source, static_cast<size_t>(start), static_cast<size_t>(end)));
    }
  }

  // Reads a source: a tuple of its text (or a list of numbers of texts in the table), its file (or a number), and its
  // first line.
  std::shared_ptr<Source> source_of(const c10::IValue& value) {
    auto& known = sources_[value.internalToPointer()];
    if (known) return known;
    const auto& items = value.toTupleRef().elements();
    TORCH_CHECK(items.size() >= 3, "a part is missing");
    std::string text;
    std::optional<std::string> file;
    if (texts_.empty()) {
      text = items[0].toStringRef();
      if (!items[1].isNone()) file = items[1].toStringRef();
    } else {
      for (const auto& piece : items[0].toListRef()) text += texts_.at(static_cast<size_t>(piece.toInt()));
      file = texts_.at(static_cast<size_t>(items[1].toInt()));
    }
    const auto line = static_cast<size_t>(std::max<int64_t>(items[2].toInt(), 0));
    known = file ? std::make_shared<Source>(text, *file, line) : std::make_shared<Source>(text);
    return known;
  }

  std::mutex lock_;
  std::shared_ptr<Source> original_;
  SafeText safe_;
  std::string record_;
  std::vector<std::string> texts_;
  std::map<size_t, SourceRange> places_;  // by position in the code
  std::unordered_map<const void*, std::shared_ptr<Source>> sources_;
};

}  // namespace

std::shared_ptr<Source> make_source(const std::string& text, const std::string& file, std::string ranges) {
  SafeText safe = with_safe_casts(text, file);
  const std::string code = safe.text;
  return std::make_shared<Source>(code, file, 1,
                                  std::make_shared<Ranges>(text, file, std::move(safe), std::move(ranges)));
}

}  // namespace shim
