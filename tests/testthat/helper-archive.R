# Archives made by hand: for tests of what no writer would write.

archive_files <- function(file) {
  folder <- withr::local_tempdir()
  names <- utils::unzip(file, list = TRUE)$Name
  utils::unzip(file, exdir = folder)
  out <- lapply(file.path(folder, names), function(f) readBin(f, "raw", file.size(f)))
  names(out) <- names
  out
}

# The checksum by R's own zlib, which ends a gzip file with it: four bytes.
zlib_crc <- function(bytes) {
  if (!length(bytes)) return(raw(4))
  file <- withr::local_tempfile()
  connection <- gzfile(file, "wb", compression = 1)
  writeBin(bytes, connection)
  close(connection)
  packed <- readBin(file, "raw", file.size(file))
  packed[length(packed) - 7:4]
}

# Stored, not packed; checksums are right.
write_archive <- function(files, file) {
  le <- function(x, n) as.raw(floor(x / 256^(seq_len(n) - 1)) %% 256)
  at <- 0
  local <- directory <- list()
  for (name in names(files)) {
    bytes <- files[[name]]
    facts <- c(le(0, 8), zlib_crc(bytes), le(length(bytes), 4), le(length(bytes), 4), le(nchar(name, "bytes"), 2), le(0, 2))
    local[[name]] <- c(le(0x04034b50, 4), le(20, 2), facts, charToRaw(name), bytes)
    directory[[name]] <- c(le(0x02014b50, 4), le(20, 2), le(20, 2), facts, le(0, 10), le(at, 4), charToRaw(name))
    at <- at + length(local[[name]])
  }
  size <- sum(lengths(directory))
  end <- c(le(0x06054b50, 4), le(0, 4), le(length(files), 2), le(length(files), 2), le(size, 4), le(at, 4), le(0, 2))
  writeBin(c(unlist(local, use.names = FALSE), unlist(directory, use.names = FALSE), end), file)
  file
}

replace_bytes <- function(bytes, old, new) {
  as_text <- function(x) paste(as.character(x), collapse = " ")
  text <- sub(as_text(old), as_text(new), as_text(bytes), fixed = TRUE)
  as.raw(strtoi(strsplit(text, " ")[[1]], 16))
}

bytes_of <- function(...) as.raw(unlist(lapply(list(...), function(x) if (is.character(x)) utf8ToInt(x) else x)))
