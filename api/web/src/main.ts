// Starts the page: signs in, then shows what the address says.

import { Shell } from "./ui/shell.ts";

const app = document.getElementById("app");
if (app) void new Shell(app).start();
