/** JSON.parse makes a double of every number; this finds again the integers that a double does not hold. */
import { endOfString } from './json-text.js';

const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
/** No integer of fewer digits is beyond 2^53, unless it has an exponent. */
const MIN_DIGITS = 16;
/** A million literals as strings of their own would take hundreds of megabytes: they are gathered in pieces of about this length. */
const PIECE_LENGTH = 100_000;
const BEYOND_LATIN1 = /[^\0-\xff]/;

/**
 * As JSON.parse, but every number that a double may not hold comes back as a string of its literal: those with an exponent or with 16
 * characters or more. Where strings and such numbers must be told apart, JSON.parse on the same text tells: both documents have the same
 * structure.
 *
 * @param text valid JSON
 */
export function parseKeepingLiterals(text: string): unknown {
  // Every string survives these, half a surrogate pair too.
  const encoding = BEYOND_LATIN1.test(text) ? 'utf16le' : 'latin1';
  const pieces: Buffer[] = [];
  let piece = '';
  let copied = 0;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
    } else if (code === MINUS || (code >= ZERO && code <= NINE)) {
      const end = endOfNumber(text, at);
      const literal = text.slice(at, end);
      if (literal.length >= MIN_DIGITS || /[eE]/.test(literal)) {
        piece += `${text.slice(copied, at)}"${literal}"`;
        copied = end;
        if (piece.length > PIECE_LENGTH) {
          pieces.push(Buffer.from(piece, encoding));
          piece = '';
        }
      }
      at = end;
    } else {
      at++;
    }
  }
  if (copied === 0) return JSON.parse(text);
  pieces.push(Buffer.from(piece + text.slice(copied), encoding));
  return JSON.parse(Buffer.concat(pieces).toString(encoding));
}

const NUMBER = /[-+.\deE]+/y;

function endOfNumber(text: string, start: number): number {
  NUMBER.lastIndex = start;
  return NUMBER.test(text) ? NUMBER.lastIndex : start + 1;
}

/** What nearly every literal is. */
const PLAIN_INTEGER = /^-?\d{1,20}$/;
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/;
/** 2^64 has twenty digits; beyond that a number is out of range whatever it is. */
const MAX_EXPONENT = 40;

/** The integer that a JSON number literal stands for, exactly, or undefined where it is none. */
export function integerOfLiteral(literal: string): bigint | undefined {
  if (PLAIN_INTEGER.test(literal)) return BigInt(literal);
  const [, sign, whole, fraction = '', exponentText = '0'] = DECIMAL.exec(literal) ?? [];
  if (whole === undefined) return undefined;
  const exponent = Number(exponentText) - fraction.length;
  let digits = whole + fraction;
  if (exponent < 0) {
    const cut = digits.length + exponent;
    if (/[1-9]/.test(digits.slice(Math.max(cut, 0)))) return undefined;
    digits = cut > 0 ? digits.slice(0, cut) : '0';
  } else if (exponent > 0 && /[1-9]/.test(digits)) {
    if (exponent > MAX_EXPONENT) return undefined;
    digits += '0'.repeat(exponent);
  }
  // BigInt of a long literal takes quadratic time, and none of these is in range.
  digits = digits.replace(/^0+(?=\d)/, '');
  if (digits.length > MAX_EXPONENT) return undefined;
  return BigInt(`${sign}${digits}`);
}
