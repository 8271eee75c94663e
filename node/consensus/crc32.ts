/** CRC-32 (the one of zip and Ethernet): tells torn and rotten records from whole ones. No protection from malice. */
import { crc32 as zlibCrc32 } from 'node:zlib';

/** @returns an unsigned 32-bit number */
export const crc32 = (bytes: Uint8Array): number => zlibCrc32(bytes) >>> 0;
