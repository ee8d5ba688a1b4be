# What R can load, as JSON on standard output. Run while the image is built.

installed <- installed.packages()
installed <- installed[!duplicated(installed[, "Package"]), , drop = FALSE]
loadable <- vapply(installed[, "Package"], function(package) {
  suppressWarnings(suppressPackageStartupMessages(requireNamespace(package, quietly = TRUE)))
}, logical(1L))
installed <- installed[loadable, , drop = FALSE]
names <- unname(installed[, "Package"])
ours <- installed[, "Priority"] %in% "base"

modules <- lapply(seq_along(names), function(index) {
  list(name = names[index], package = if (ours[index]) NULL else names[index])
})
packages <- lapply(which(!ours), function(index) {
  list(name = names[index], version = unname(installed[index, "Version"]))
})
version <- paste(R.version$major, R.version$minor, sep = ".")
catalogue <- list(implementation = "GNU R", version = version, modules = modules, packages = packages)
cat(jsonlite::toJSON(catalogue, auto_unbox = TRUE, null = "null"))
