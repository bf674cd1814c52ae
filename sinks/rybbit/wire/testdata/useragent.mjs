// Checks the user agents of useragents.tsv against the parser that Rybbit uses:
//
//	npm install --no-save ua-parser-js@2.0.3 && node useragent.mjs [FILE]
//
// Nothing may be read for a column that is empty, but a system's version: of
// some systems the parser makes one up.
import { readFileSync } from "node:fs";
import { UAParser } from "ua-parser-js";

let wrong = 0;
const lines = readFileSync(process.argv[2] ?? new URL("useragents.tsv", import.meta.url), "utf8").trimEnd().split("\n");
for (const line of lines) {
  const [browser, version, os, osVersion, userAgent] = line.split("\t");
  const read = UAParser(userAgent);
  const pairs = [
    [browser, read.browser.name],
    [version, read.browser.major],
    [os, read.os.name],
    [osVersion, read.os.version],
  ];
  if (pairs.some(([want, got], i) => want !== (got ?? "") && (want || i < 3))) {
    wrong++;
    console.log(pairs.map(([want, got]) => `${want} read as ${got ?? ""}`).join(", "), userAgent);
  }
}
console.log(`${lines.length} user agents, ${wrong} read wrong`);
process.exit(wrong ? 1 : 0);
