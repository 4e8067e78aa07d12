// Dark and light: as the system says, unless somebody chose. Only that choice is kept in the browser's local storage.

const KEY = "simops.theme";
export type Theme = "system" | "light" | "dark";
const ORDER: readonly Theme[] = ["system", "light", "dark"];

export function theme(): Theme {
  const kept = localStorage.getItem(KEY);
  return ORDER.find((one) => one === kept) ?? "system";
}

export function applyTheme(wanted: Theme = theme()): void {
  if (wanted === "system") {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset["theme"];
  } else {
    localStorage.setItem(KEY, wanted);
    document.documentElement.dataset["theme"] = wanted;
  }
}

export function nextTheme(): Theme {
  return ORDER[(ORDER.indexOf(theme()) + 1) % ORDER.length] ?? "system";
}
