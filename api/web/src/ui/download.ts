// Saving what the gateway sends: it is fetched with the token, then given to the browser as a file.

/** Save an answer as a file of this name. */
export async function save(answer: Promise<Response>, name: string): Promise<void> {
  const blob = await (await answer).blob();
  const url = URL.createObjectURL(blob);
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
