// Where the token is: in this tab's session storage, which no other tab and no other site reads, and which goes with the tab.

const KEY = "simops.token";

export interface Keep {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export class Session {
  private readonly keep: Keep;

  constructor(keep: Keep) {
    this.keep = keep;
  }

  token = (): string | null => this.keep.getItem(KEY);

  /** Keep a token; one that cannot be in a header is refused. */
  signIn(token: string): void {
    this.keep.setItem(KEY, tokenOf(token));
  }

  signOut(): void {
    this.keep.removeItem(KEY);
  }
}

/** Return a token without what comes along when it is copied. Throws an Error that says what is wrong. */
export function tokenOf(text: string): string {
  const token = text.trim().replace(/^bearer\s+/i, "");
  if (!token) throw new Error("Paste a token.");
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Error("A token is one word without spaces or line breaks.");
  return token;
}
