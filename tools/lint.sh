#!/bin/sh
# The rules of the house that grep can see. Prints each line that breaks one; exits 1 if there is any.
cd "$(dirname "$0")/.." || exit 1
status=0

# rule TEXT: standard input is the list of offending lines.
rule() {
  offending=$(cat)
  if [ -n "$offending" ]; then
    echo "lint: $1"
    echo "$offending"
    status=1
  fi
}

rule "src/ includes no LibTorch header" <<END
$(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"](torch|ATen|c10)/' src)
END

rule "inst/shim/ includes no R header" <<END
$(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"](Rcpp|R\.h|Rinternals|Rdefines|Rmath|R_ext/|cpp11)' inst/shim)
END

rule "an Rcpp export says rng = false" <<END
$(grep -rn '\[\[Rcpp::export' src | grep -v 'rng = false')
END

rule "nothing is left for later" <<END
$(grep -rnwIE 'TODO|FIXME|XXX' R src inst tests tools vignettes bench Makefile README.md configure 2>/dev/null |
  grep -v '^tools/lint.sh:')
END

# libtorch.R and shim.R also run without the package; conditions.R makes the conditions.
rule "R/ raises its errors with the functions of conditions.R" <<END
$(grep -rnE '(^|[^[:alnum:]_.])stop\(' R --include='*.R' |
  grep -vE '^R/(conditions|libtorch|shim)\.R:|^[^:]*:[0-9]*:[[:space:]]*#')
END

# The second would be the one that both files call.
rule "each function of R/ has one home" <<END
$(grep -hoE '^[a-zA-Z][a-zA-Z0-9._]* <- function' R/*.R | sort | uniq -d)
END

# A file may make a table in two steps, two files may not have a name in common.
rule "each name of R/ is bound in one file" <<END
$(grep -oE '^[a-zA-Z][a-zA-Z0-9._]* <- ' R/*.R | sort -u | sed 's/^[^:]*://' | sort | uniq -d)
END

# Longer ones are cut in the pages. Chunks that are not shown may be longer.
rule "code in vignettes is at most 80 characters wide" <<END
$(awk '
  /^```/ { shown = !shown && /^```\{r/ && !/include = FALSE|echo = FALSE/; next }
  shown && length($0) > 80 { print FILENAME ":" FNR ": " $0 }
' vignettes/*.Rmd)
END

exit $status
