# The way back to the runner: frames on a descriptor that the child was given.

REPORT <- 4L
TASK <- 3L
CHUNK <- 65536L

# The longest text of a result, in characters. The runner has a limit of its own, but a gigabyte of
# text must not even be made into JSON.
LONGEST_TEXT <- 100000L

frame <- function(kind, content) {
  json <- jsonlite::toJSON(content, auto_unbox = TRUE, null = "null", na = "null")
  bytes <- charToRaw(enc2utf8(as.character(json)))
  length <- writeBin(length(bytes), raw(), size = 4L, endian = "little")
  bytes <- c(charToRaw(kind), length, bytes)
  .C("sandgate_r_write", REPORT, bytes, length(bytes), status = 0L)
  invisible()
}

read_task <- function() {
  parts <- list()
  repeat {
    part <- .C("sandgate_r_read", TASK, bytes = raw(CHUNK), length = CHUNK)
    if (part$length <= 0L) break
    parts[[length(parts) + 1L]] <- part$bytes[seq_len(part$length)]
  }
  text <- rawToChar(do.call(c, parts))
  Encoding(text) <- "UTF-8"
  jsonlite::fromJSON(text, simplifyVector = FALSE)
}

cut_text <- function(text) {
  more <- nchar(text) - LONGEST_TEXT
  if (more > 0L) {
    text <- paste0(substr(text, 1L, LONGEST_TEXT), "\u2026 (", more, " more characters)")
  }
  text
}

# What R prints for a value at top level.
print_value <- function(value) {
  if (isS4(value)) methods::show(value) else print(value)
}

escape <- function(text) {
  text <- gsub("&", "&amp;", text, fixed = TRUE)
  text <- gsub("<", "&lt;", text, fixed = TRUE)
  gsub(">", "&gt;", text, fixed = TRUE)
}

# How many rows of a table are shown: the first ones.
MOST_ROWS <- 60L

table_html <- function(frame) {
  shown <- as.data.frame(utils::head(frame, MOST_ROWS))
  cells <- vapply(shown, function(column) escape(format(column)), character(nrow(shown)))
  cells <- matrix(cells, nrow = nrow(shown))
  rows <- apply(cbind(escape(rownames(shown)), cells), 1L, function(row) {
    paste0("<tr><th>", row[1L], "</th><td>", paste(row[-1L], collapse = "</td><td>"), "</td></tr>")
  })
  head <- paste0("<th>", escape(names(shown)), "</th>", collapse = "")
  more <- nrow(frame) - nrow(shown)
  paste0(
    "<table border=\"1\" class=\"dataframe\">\n<thead><tr><th></th>", head, "</tr></thead>\n<tbody>\n",
    paste(rows, collapse = "\n"), "\n</tbody>\n</table>",
    if (more > 0L) paste0("\n<p>", more, " more rows</p>")
  )
}

# Reports a value. What printing it draws is an image of its own.
show_value <- function(value) {
  text <- paste(utils::capture.output(print_value(value)), collapse = "\n")
  bundle <- list()
  if (nzchar(text)) bundle[["text/plain"]] <- cut_text(text)
  if (is.data.frame(value)) {
    # A column of any kind may fail to become text; the other form is there then.
    html <- tryCatch(table_html(value), error = function(problem) NULL)
    if (!is.null(html)) bundle[["text/html"]] <- html
  }
  if (length(bundle) > 0L) frame("r", bundle)
  invisible()
}

show_image <- function(path) {
  bytes <- readBin(path, raw(), file.size(path))
  if (length(bytes) > 0L) frame("r", list("image/png" = jsonlite::base64_enc(bytes)))
}
