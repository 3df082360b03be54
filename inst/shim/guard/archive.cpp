// The checks follow PKWARE's APPNOTE 6.3.
#include "guard/archive.h"

#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "guard/crc32.h"

namespace shim {
namespace {

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kDescriptor = 0x08074b50, kEnd = 0x06054b50,
                   kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocator64Size = 20;
constexpr uint64_t kFull16 = 0xffff, kFull32 = 0xffffffff;
constexpr uint16_t kEncrypted = 1, kHasDescriptor = 1 << 3, kPatch = 1 << 5, kStrong = 1 << 6, kMasked = 1 << 13;
constexpr uint16_t kStored = 0, kDeflated = 8;
// LibTorch's reader cuts off longer names.
constexpr size_t kLongestName = 511;
// The best ratio that deflate can reach. What claims a better one is a zip bomb.
constexpr uint64_t kBestRatio = 1032;
// The largest size of a packed entry. LibTorch packs code only, which is small.
constexpr uint64_t kLargestUnpacked = uint64_t{1} << 30;
// The version of the zip format that 64-bit archives need.
constexpr uint16_t kVersion = 45;
constexpr uint32_t kFolder = 0x10;
// Bytes are copied and checked in pieces that fit into the cache, so that the checksum does not read memory again.
constexpr size_t kPiece = 128 * 1024;

template <class Number>
Number little(const char* p) {
  uint64_t out = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) out |= static_cast<uint64_t>(static_cast<unsigned char>(p[i])) << 8 * i;
  return static_cast<Number>(out);
}
uint16_t u16(const char* p) { return little<uint16_t>(p); }
uint32_t u32(const char* p) { return little<uint32_t>(p); }
uint64_t u64(const char* p) { return little<uint64_t>(p); }

void require(bool holds, const char* problem) { TORCH_CHECK(holds, "the archive's directory is damaged: ", problem); }

// Reads the numbers that were too large for a header: they stand in the extra field of type 1, in a fixed order.
void read_zip64(const char* extra, size_t n, std::initializer_list<uint64_t*> numbers) {
  bool wanted = false;
  for (const uint64_t* number : numbers) wanted |= *number == kFull32;
  for (size_t at = 0; at < n;) {
    require(n - at >= 4, "an extra field is cut short");
    const uint16_t id = u16(extra + at), size = u16(extra + at + 2);
    at += 4;
    require(n - at >= size, "an extra field is longer than its place");
    if (id == 1 && wanted) {
      size_t used = 0;
      for (uint64_t* number : numbers) {
        if (*number != kFull32) continue;
        require(size - used >= 8, "a 64-bit size is missing");
        *number = u64(extra + at + used);
        used += 8;
      }
      return;
    }
    at += size;
  }
  require(!wanted, "a 64-bit size is missing");
}

// Unpacks an entry into `to`, whose size is the one that the directory gives, and returns how many bytes there were.
// Old LibTorch can't unpack into memory of the caller.
template <class Reader>
size_t unpack(Reader& reader, const std::string& name, std::string& to) {
  try {
    if constexpr (requires { reader.getRecord(name, static_cast<void*>(to.data()), to.size()); }) {
      return reader.getRecord(name, static_cast<void*>(to.data()), to.size());
    } else {
      // Where the bytes make no sense, LibTorch leaves the memory that it allocates as it is. A block that was freed
      // last is allocated next, and might hold valid bytes of the file. So such a block is filled with zeros first.
      {
        const auto blank = c10::GetCPUAllocator()->allocate(to.size());
        std::memset(blank.get(), 0, to.size());
      }
      const auto record = reader.getRecord(name);
      const size_t n = std::get<1>(record);
      if (n == to.size()) std::memcpy(to.data(), std::get<0>(record).get(), n);
      return n;
    }
  } catch (const c10::Error&) {
    return to.size() + 1;
  }
}

bool is_sane_name(const std::string& name) {
  if (name.empty() || name.size() > kLongestName || name.front() == '/') return false;
  if (name.find_first_of(std::string("\\\0", 2)) != std::string::npos) return false;
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('/', at), name.size());
    const std::string part = name.substr(at, end - at);
    if (part == ".." || part == "." || (part.empty() && end != name.size())) return false;
    at = end + 1;
  }
  return true;
}

}  // namespace

FileBytes::FileBytes(const char* path)
    : stream_(std::filesystem::path(reinterpret_cast<const char8_t*>(path)), std::ios::binary) {
  TORCH_CHECK(stream_, "the file can't be opened");
  stream_.seekg(0, std::ios::end);
  const auto size = stream_.tellg();
  TORCH_CHECK(stream_ && size >= 0, "the file can't be read");
  size_ = static_cast<uint64_t>(size);
}

size_t FileBytes::read(uint64_t at, void* to, size_t n) {
  stream_.clear();
  stream_.seekg(static_cast<std::streamoff>(at));
  if (!stream_) return 0;
  stream_.read(static_cast<char*>(to), static_cast<std::streamsize>(n));
  return static_cast<size_t>(stream_.gcount());
}

size_t MemoryBytes::read(uint64_t at, void* to, size_t n) {
  if (at >= size_) return 0;
  n = std::min(n, size_ - static_cast<size_t>(at));
  std::memcpy(to, data_ + at, n);
  return n;
}

Archive::Archive(std::unique_ptr<Bytes> bytes) : bytes_(std::move(bytes)) {
  uint64_t end = read_end();
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.header < b.header; });
  for (const Entry& entry : entries_) {
    require(is_sane_name(entry.name), "an entry has no proper name");
    require(index_.emplace(entry.name, index_.size()).second, "two entries have one name");
    const size_t slash = entry.name.find('/');
    TORCH_CHECK(slash != std::string::npos, "it is no archive of LibTorch's: `", entry.name, "` is in no folder");
    if (root_.empty()) root_ = entry.name.substr(0, slash);
    TORCH_CHECK(entry.name.compare(0, slash + 1, root_ + "/") == 0,
                "it is no archive of LibTorch's: it has two folders at its top");
    // LibTorch reads all other entries by itself, and gives no error when a packed one makes no sense.
    const auto is_in = [&](const char* folder) { return entry.name.compare(slash + 1, std::strlen(folder), folder) == 0; };
    TORCH_CHECK(!entry.is_packed() || is_in("code/") || is_in("extra/"), "entry `", entry.name,
                "` is packed, as LibTorch packs nothing but code");
  }
  uint64_t free = 0;
  for (Entry& entry : entries_) {
    require(entry.header >= free, "two entries overlap");
    check_local_header(entry, free);
  }
  require(free <= end, "an entry reaches into the directory");
}

void Archive::require_program() const {
  TORCH_CHECK(!find("model.json"), "it was written by PyTorch 1.3 or older, whose programs can't be checked: load and "
                                   "save it with a newer one");
  TORCH_CHECK(find("data.pkl") && find("constants.pkl"),
              "it holds no TorchScript program; PyTorch's `torch.save()` writes such archives, `torch.jit.save()` "
              "writes programs");
}

std::string Archive::read_all(uint64_t at, uint64_t n) const {
  require(at <= bytes_->size() && n <= bytes_->size() - at, "it points outside the file");
  std::string out(static_cast<size_t>(n), '\0');
  TORCH_CHECK(bytes_->read(at, out.data(), out.size()) == out.size(), "the file can't be read");
  return out;
}

// Reads the records at the end and the directory that they point to. Returns where the directory begins.
uint64_t Archive::read_end() {
  const uint64_t size = bytes_->size();
  TORCH_CHECK(size > 0, "it is empty");
  const std::string start = read_all(0, std::min<uint64_t>(size, 4));
  TORCH_CHECK(start.size() == 4 && (u32(start.data()) == kLocal || u32(start.data()) == kEnd),
              "it is no archive as `jit_save()` and `torch.jit.save()` write");
  const std::string tail =
      read_all(size - std::min<uint64_t>(size, kEndSize + kFull16), std::min<uint64_t>(size, kEndSize + kFull16));
  size_t at = tail.size();
  bool found = false;
  for (size_t back = kEndSize; back <= tail.size() && !found; ++back) {
    at = tail.size() - back;
    found = u32(&tail[at]) == kEnd;
  }
  TORCH_CHECK(found, "it is cut short or damaged: the record that ends an archive is missing");
  const char* end = &tail[at];
  uint64_t end_at = size - tail.size() + at;
  require(u16(end + 20) == tail.size() - at - kEndSize, "the archive ends elsewhere than its last record says");
  require(u16(end + 4) == 0 && u16(end + 6) == 0, "it has several volumes");
  uint64_t on_disk = u16(end + 8), count = u16(end + 10), directory_size = u32(end + 12), directory = u32(end + 16);
  const bool needs_64 = on_disk == kFull16 || count == kFull16 || directory_size == kFull32 || directory == kFull32;
  std::string locator;
  if (end_at >= kLocator64Size + kEnd64Size) locator = read_all(end_at - kLocator64Size, kLocator64Size);
  if (!locator.empty() && u32(locator.data()) == kLocator64) {
    require(u32(&locator[4]) == 0 && u32(&locator[16]) <= 1, "it has several volumes");
    const uint64_t end64_at = u64(&locator[8]);
    require(end64_at <= end_at - kLocator64Size - kEnd64Size, "it points outside the file");
    const std::string end64 = read_all(end64_at, kEnd64Size);
    require(u32(end64.data()) == kEnd64, "its 64-bit record is missing");
    // The size does not count itself and the signature.
    require(u64(&end64[4]) == end_at - kLocator64Size - end64_at - 12, "its 64-bit record has another size");
    require(u32(&end64[16]) == 0 && u32(&end64[20]) == 0, "it has several volumes");
    const auto merge = [](uint64_t& number, uint64_t wide, uint64_t full) {
      require(number == full || number == wide, "its two last records differ");
      number = wide;
    };
    merge(on_disk, u64(&end64[24]), kFull16);
    merge(count, u64(&end64[32]), kFull16);
    merge(directory_size, u64(&end64[40]), kFull32);
    merge(directory, u64(&end64[48]), kFull32);
    end_at = end64_at;
  } else {
    require(!needs_64, "its 64-bit record is missing");
  }
  require(on_disk == count, "it has several volumes");
  require(directory <= end_at && directory_size == end_at - directory, "it does not end where its last record begins");
  require(count <= directory_size / kCentralSize, "it counts more entries than it can hold");
  read_directory(read_all(directory, directory_size), count);
  return directory;
}

void Archive::read_directory(const std::string& directory, uint64_t count) {
  size_t at = 0;
  entries_.reserve(static_cast<size_t>(count));
  for (uint64_t i = 0; i < count; ++i) {
    require(directory.size() - at >= kCentralSize, "it is cut short");
    const char* p = &directory[at];
    require(u32(p) == kCentral, "an entry's signature is missing");
    Entry entry{};
    entry.flags = u16(p + 8);
    entry.method = u16(p + 10);
    entry.crc = u32(p + 16);
    entry.packed_size = u32(p + 20);
    entry.size = u32(p + 24);
    const size_t name = u16(p + 28), extra = u16(p + 30), comment = u16(p + 32);
    require(u16(p + 34) == 0, "it has several volumes");
    require((u16(p + 6) & 0xff) <= kVersion, "an entry needs a newer reader");
    const bool is_folder = u32(p + 38) & kFolder;
    entry.header = u32(p + 42);
    at += kCentralSize;
    require(directory.size() - at >= name + extra + comment, "it is cut short");
    entry.name = directory.substr(at, name);
    // LibTorch's reader takes a folder to have no bytes, and would leave the memory for them as it is.
    const bool looks_like_folder = is_folder || (!entry.name.empty() && entry.name.back() == '/');
    require(entry.size == 0 || !looks_like_folder, "an entry is a folder and a file");
    read_zip64(directory.data() + at + name, extra, {&entry.size, &entry.packed_size, &entry.header});
    at += name + extra + comment;
    TORCH_CHECK((entry.flags & (kEncrypted | kPatch | kStrong | kMasked)) == 0, "entry `", entry.name,
                "` is encrypted");
    TORCH_CHECK(entry.method == kStored || entry.method == kDeflated, "entry `", entry.name,
                "` is packed in a way that LibTorch can't unpack");
    require(entry.method != kStored || entry.packed_size == entry.size, "an entry that is not packed has two sizes");
    TORCH_CHECK(entry.method == kStored || entry.size <= kLargestUnpacked, "entry `", entry.name,
                "` is packed and would need more than 1 GiB");
    require(entry.method == kStored || entry.size <= entry.packed_size * kBestRatio,
            "a packed entry is larger than it can be");
    entries_.push_back(std::move(entry));
  }
  require(at == directory.size(), "it holds more than its entries");
}

// On entry `end` is where the entry before ends; on return where this one does.
void Archive::check_local_header(Entry& entry, uint64_t& end) const {
  const std::string header = read_all(entry.header, kLocalSize);
  const char* p = header.data();
  require(u32(p) == kLocal, "an entry is not where it should be");
  require((u16(p + 4) & 0xff) <= kVersion, "an entry needs a newer reader");
  require(u16(p + 6) == entry.flags && u16(p + 8) == entry.method, "an entry is described in two ways");
  const size_t name = u16(p + 26), extra = u16(p + 28);
  const std::string more = read_all(entry.header + kLocalSize, name + extra);
  require(more.compare(0, name, entry.name) == 0, "an entry has two names");
  uint64_t packed_size = u32(p + 18), size = u32(p + 22);
  read_zip64(more.data() + name, extra, {&size, &packed_size});
  // The numbers in the header may be zero if a descriptor behind the data holds them.
  const bool has_descriptor = entry.flags & kHasDescriptor;
  const auto agrees = [&](uint64_t here, uint64_t there) { return here == there || (has_descriptor && here == 0); };
  require(agrees(u32(p + 14), entry.crc) && agrees(packed_size, entry.packed_size) && agrees(size, entry.size),
          "an entry is described in two ways");
  entry.data = entry.header + kLocalSize + name + extra;
  require(entry.packed_size <= bytes_->size() - entry.data, "an entry reaches over the end of the file");
  end = entry.data + entry.packed_size;
  if (!has_descriptor) return;
  // A descriptor may lack its signature, and its sizes may have 4 or 8 bytes: the form that fits is looked for.
  const std::string behind = read_all(end, std::min<uint64_t>(24, bytes_->size() - end));
  for (const size_t signature : {size_t{4}, size_t{0}}) {
    for (const size_t wide : {size_t{4}, size_t{8}}) {
      const size_t length = signature + 4 + 2 * wide;
      if (behind.size() < length || (signature && u32(behind.data()) != kDescriptor)) continue;
      const char* q = behind.data() + signature;
      const uint64_t packed_size_here = wide == 8 ? u64(q + 4) : u32(q + 4),
                     size_here = wide == 8 ? u64(q + 12) : u32(q + 8);
      if (u32(q) == entry.crc && packed_size_here == entry.packed_size && size_here == entry.size) {
        end += length;
        return;
      }
    }
  }
  require(false, "an entry is described in two ways");
}

const Entry* Archive::find(const std::string& name) const {
  const auto found = index_.find(root_ + "/" + name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

void Archive::fail(const Entry& entry, const char* problem) const {
  if (failure_.empty()) failure_ = c10::str("entry `", entry.name, "` ", problem);
}

void Archive::throw_failure() const { TORCH_CHECK(failure_.empty(), failure_); }

bool Archive::copy_checked(Entry& entry, char* to) const {
  std::vector<char> scratch;
  if (!to) scratch.resize(static_cast<size_t>(std::min<uint64_t>(entry.size, kPiece)));
  uint32_t crc = 0;
  for (uint64_t at = 0; at < entry.size;) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(entry.size - at, kPiece));
    char* piece = to ? to + at : scratch.data();
    if (bytes_->read(entry.data + at, piece, n) != n) {
      fail(entry, "is cut short");
      return false;
    }
    crc = crc32(crc, piece, n);
    at += n;
  }
  if (crc != entry.crc) {
    fail(entry, "is damaged: its checksum is wrong");
    return false;
  }
  entry.checked = true;
  return true;
}

std::string Archive::contents(const Entry& wanted) {
  Entry& entry = entries_[static_cast<size_t>(&wanted - entries_.data())];
  std::string out(static_cast<size_t>(entry.size), '\0');
  if (!entry.is_packed()) {
    copy_checked(entry, out.data());
  } else {
    // LibTorch gives no error when the bytes make no sense. It then leaves the rest of `out`, which is zeros, and the
    // checksum tells.
    const size_t n = unpack(reader(), entry.name.substr(root_.size() + 1), out);
    if (n != out.size() || crc32(0, out.data(), n) != entry.crc)
      fail(entry, "is damaged: it does not unpack to what its checksum says");
    entry.checked = true;
  }
  throw_failure();
  return out;
}

void Archive::copy(const Entry& wanted, void* to) {
  Entry& entry = entries_[static_cast<size_t>(&wanted - entries_.data())];
  TORCH_CHECK(!entry.is_packed(), "entry `", entry.name, "` is packed");
  copy_checked(entry, static_cast<char*>(to));
  throw_failure();
}

caffe2::serialize::PyTorchStreamReader& Archive::reader() {
  if (!reader_) {
    const std::shared_ptr<ReadAdapterInterface> borrowed(this, [](ReadAdapterInterface*) {});
    reader_ = std::make_unique<caffe2::serialize::PyTorchStreamReader>(borrowed);
  }
  return *reader_;
}

void Archive::check_rest() {
  for (Entry& entry : entries_)
    if (!entry.checked && !entry.is_packed()) copy_checked(entry, nullptr);
  throw_failure();
}

size_t Archive::read(uint64_t at, void* to, size_t n, const char*) const {
  if (at > bytes_->size() || n > bytes_->size() - at) return 0;
  // Checks the entries whose bytes lie in [at, at + n). What lies between them, headers and the directory, was checked.
  auto entry = std::partition_point(entries_.begin(), entries_.end(),
                                    [&](const Entry& it) { return it.data + it.packed_size <= at; });
  for (; entry != entries_.end() && entry->data < at + n; ++entry) {
    // LibTorch reads a packed entry in pieces: contents() checks it as a whole.
    if (entry->checked || entry->packed_size == 0 || entry->is_packed()) continue;
    if (entry->data == at && entry->packed_size == n) return copy_checked(*entry, static_cast<char*>(to)) ? n : 0;
    if (!copy_checked(*entry, nullptr)) return 0;
  }
  return bytes_->read(at, to, n);
}

}  // namespace shim
