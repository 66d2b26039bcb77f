import { describe, expect, it } from 'vitest';
import { parseServerAddress } from './server-address.ts';

describe('a server’s address', () => {
  it.each([
    ['http://127.0.0.1:4173', 'http://127.0.0.1:4173'],
    [' http://127.0.0.1:4173/v1/ ', 'http://127.0.0.1:4173'],
    ['127.0.0.1:4173', 'http://127.0.0.1:4173'],
    ['localhost:4173/', 'http://localhost:4173'],
    ['[::1]:4173', 'http://[::1]:4173'],
    ['aligner.example', 'https://aligner.example'],
    ['aligner.example:8443/v1', 'https://aligner.example:8443'],
    ['https://aligner.example/models/v1', 'https://aligner.example/models'],
    ['HTTP://Aligner.Example', 'http://aligner.example'],
  ])('%j is %s', (text, url) => {
    expect(parseServerAddress(text)).toBe(url);
  });

  it.each([
    ['', 'no address yet'],
    ['ftp://aligner.example', 'no http or https'],
    ['javascript:alert(1)', 'is no address'],
    ['https://me:secret@aligner.example', 'a field of its own'],
    ['https://aligner.example?key=secret', 'query'],
    ['http://', 'is no address'],
    ['two words', 'is no address'],
  ])('%j is none', (text, why) => {
    expect(() => parseServerAddress(text)).toThrow(why);
    expect(() => parseServerAddress(text)).not.toThrow('me:secret');
  });
});
