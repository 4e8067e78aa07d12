// Builds the page into ../simops_api/ui/dist: hashed names, a chunk for each page, every file compressed beside itself.
// `hack/assets` calls this when something has changed.
import { build } from "esbuild";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";

const HERE = import.meta.dirname;
const DIST = join(HERE, "..", "simops_api", "ui", "dist");
const PART = `${DIST}.part`;

await rm(PART, { recursive: true, force: true });
await mkdir(join(PART, "assets"), { recursive: true });
const { metafile } = await build({
  absWorkingDir: HERE,
  entryPoints: { main: "src/main.ts", style: "src/css/main.css" },
  outdir: join(PART, "assets"),
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["es2022", "chrome111", "firefox113", "safari16.4"],
  minify: true,
  charset: "utf8",
  legalComments: "eof",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  metafile: true,
  logLevel: "warning",
});

function built(source) {
  const found = Object.entries(metafile.outputs).find(([, output]) => output.entryPoint === source);
  if (!found) throw new Error(`esbuild made nothing of ${source}`);
  return basename(found[0]);
}

const icon = await readFile(join(HERE, "src", "icon.svg"));
await writeFile(join(PART, "assets", "icon.svg"), icon);
const names = { "{{script}}": built("src/main.ts"), "{{style}}": built("src/css/main.css") };
let shell = await readFile(join(HERE, "src", "index.html"), "utf8");
for (const [mark, name] of Object.entries(names)) shell = shell.replaceAll(mark, name);
await writeFile(join(PART, "index.html"), shell);
for (const name of await readdir(join(PART, "assets"))) {
  const path = join(PART, "assets", name);
  await writeFile(`${path}.gz`, gzipSync(await readFile(path), { level: 9 }));
}
await rm(DIST, { recursive: true, force: true });
await rename(PART, DIST);
