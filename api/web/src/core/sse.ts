// Server-sent events out of pieces of text (pure): https://html.spec.whatwg.org/multipage/server-sent-events.html

export interface StreamEvent {
  name: string;
  data: string;
  /** The last id that the stream has named, which is where to go on. */
  id: string;
}

export class EventParser {
  /** Milliseconds that the server says to wait before the next attempt. */
  retry: number | undefined;
  private rest = "";
  private name = "";
  private data: string[] = [];
  private id = "";
  private lastWasCr = false;

  /** Take a piece of the stream; return the events that it has completed. */
  feed(text: string): StreamEvent[] {
    const events: StreamEvent[] = [];
    // A CR at the end of a piece has ended its line; a LF at the start of the next one is part of that end.
    if (this.lastWasCr && text.startsWith("\n")) text = text.slice(1);
    if (text) this.lastWasCr = text.endsWith("\r");
    const lines = (this.rest + text).split(/\r\n|\n|\r/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      const event = this.take(line);
      if (event) events.push(event);
    }
    return events;
  }

  private take(line: string): StreamEvent | undefined {
    if (line === "") return this.dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (field === "data") this.data.push(value);
    else if (field === "event") this.name = value;
    else if (field === "id" && !value.includes("\0")) this.id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return undefined;
  }

  private dispatch(): StreamEvent | undefined {
    const { name, data } = this;
    this.name = "";
    this.data = [];
    return data.length ? { name: name || "message", data: data.join("\n"), id: this.id } : undefined;
  }
}
