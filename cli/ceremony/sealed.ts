/** From a transcript's path to what it proves: the one way in which other commands start from a ceremony. */
import { readText } from '#cli/ceremony/folder.ts';
import { CeremonyError } from '#genesis/ceremony/errors.ts';
import { auditTranscript, type SealedCeremony } from '#genesis/ceremony/transcript.ts';

const MAX_TRANSCRIPT_BYTES = 64 * 1024 * 1024;

/** @returns what it proves, and the very bytes that prove it. @throws CeremonyError, CliError UNREADABLE */
export const loadSealed = async (path: string): Promise<SealedCeremony & { readonly text: string }> => {
  const text = await readText(path, 'Check the path and its permissions.', MAX_TRANSCRIPT_BYTES);
  try {
    return { ...(await auditTranscript(text)), text };
  } catch (error) {
    if (error instanceof CeremonyError)
      throw new CeremonyError(error.code, `${path}: ${error.message}`, { cause: error });
    throw error;
  }
};
