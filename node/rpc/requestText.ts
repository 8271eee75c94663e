/**
 * Bytes from a client into JSON, bounded before anything recurses: valid UTF-8, limited nesting, then JSON.parse.
 *
 * The length is bounded by the transport (body limit, WebSocket max payload).
 */
import { RPC_CODES, RpcError } from '#node/rpc/errors.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws RpcError parse error */
export const parseRequestText = (body: Uint8Array, maxDepth: number): unknown => {
  try {
    const text = utf8.decode(body);
    if (depthExceeds(text, maxDepth)) throw new SyntaxError('nested too deeply');
    return JSON.parse(text);
  } catch {
    throw new RpcError(RPC_CODES.parse, 'parse error');
  }
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Counts brackets outside strings; what is not JSON at all is left to the parser. */
const depthExceeds = (text: string, maxDepth: number): boolean => {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (inString) {
      if (char === BACKSLASH) at += 1;
      else if (char === QUOTE) inString = false;
    } else if (char === QUOTE) inString = true;
    else if (char === 0x5b || char === 0x7b) {
      depth += 1;
      if (depth > maxDepth) return true;
    } else if (char === 0x5d || char === 0x7d) depth -= 1;
  }
  return false;
};
