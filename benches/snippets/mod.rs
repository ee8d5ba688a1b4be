//! Snippets in the style of a model, as long as is wanted: imports, functions, a loop, a report.

use sandgate::Language;

const PYTHON: [&str; 2] = [
    "import json\nimport math\nimport os.path\nfrom collections import Counter, defaultdict\n\
     try:\n    import numpy as np\nexcept ImportError:\n    np = None\n\n",
    "def step_@(values, limit=10, *, name=\"step\"):\n    \"\"\"Adds up what is below the limit.\"\"\"\n    \
     total = 0.0\n    for i, value in enumerate(values):\n        if value < limit and i % 2 == 0:\n            \
     total += math.sqrt(value) * i - values[i - 1] / 3\n    print(f\"{name}: {total:.2f} of {len(values)}\")\n    \
     return {\"name\": name, \"total\": total, \"rest\": [v for v in values if v >= limit]}\n\n",
];
const TYPESCRIPT: [&str; 2] = [
    "import _ from \"lodash\";\nimport { z, type ZodType } from \"zod\";\nimport { readFile } from \"node:fs/promises\";\n\
     interface Row { name: string; total: number }\n\n",
    "export async function step@(values: number[], limit: number = 10): Promise<Row> {\n  let total = 0;\n  \
     for (const [i, value] of values.entries()) {\n    if (value < limit && i % 2 === 0) {\n      \
     total += Math.sqrt(value) * i - (values[i - 1] ?? 0) / 3;\n    }\n  }\n  \
     console.log(`step: ${total.toFixed(2)} of ${values.length}`);\n  return { name: \"step\", total } as Row;\n}\n\n",
];
const JAVASCRIPT: [&str; 2] = [
    "import _ from \"lodash\";\nimport { z } from \"zod\";\nconst { readFile } = require(\"node:fs/promises\");\n\n",
    "async function step@(values, limit = 10) {\n  let total = 0;\n  \
     for (const [i, value] of values.entries()) {\n    if (value < limit && i % 2 === 0) {\n      \
     total += Math.sqrt(value) * i - (values[i - 1] ?? 0) / 3;\n    }\n  }\n  \
     console.log(`step: ${total.toFixed(2)} of ${values.length}`);\n  return { name: \"step\", total };\n}\n\n",
];
const R: [&str; 2] = [
    "library(dplyr)\nsuppressPackageStartupMessages(library(\"tidyr\"))\n\n",
    "step_@ <- function(values, limit = 10) {\n  # Adds up what is below the limit.\n  total <- 0\n  \
     for (i in seq_along(values)) {\n    if (values[i] < limit && i %% 2 == 0) {\n      \
     total <- total + sqrt(values[[i]]) * i\n    }\n  }\n  \
     data.frame(x = values) |> dplyr::filter(x > limit) %>% mutate(y = x^2)\n  cat(\"total\", total, \"\\n\")\n}\n\n",
];

/// At least `lines` lines in `language`, and no more than one function beyond.
pub(crate) fn of(language: Language, lines: usize) -> String {
    let [start, block] = match language {
        Language::Python => PYTHON,
        Language::JavaScript => JAVASCRIPT,
        Language::TypeScript => TYPESCRIPT,
        Language::R => R,
    };
    let mut code = start.to_owned();
    for n in 0.. {
        if code.lines().count() >= lines {
            break;
        }
        code.push_str(&block.replace('@', &n.to_string()));
    }
    code
}
