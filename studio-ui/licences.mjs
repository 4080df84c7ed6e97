// Writes THIRD-PARTY.txt beside the built files: every package that is in them, with its licence, from the lock and the packages' own files.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
const shipped = Object.entries(lock.packages).filter(([path, entry]) => path && !entry.dev && !entry.optional);
const texts = shipped.map(([path, entry]) => {
  const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
  const file = existsSync(path) && readdirSync(path).find((each) => /^licen[cs]e(\.\w+)?$/i.test(each));
  const text = file ? `\n\n${readFileSync(`${path}/${file}`, "utf8").trim()}` : "";
  return `${name} ${entry.version}: ${entry.license ?? "see its package"}${text}`;
});
const head = "The studio's page contains these packages.";
writeFileSync("../src/lorasmith/studio/static/THIRD-PARTY.txt", `${[head, ...texts.sort()].join(`\n\n${"-".repeat(72)}\n\n`)}\n`);
