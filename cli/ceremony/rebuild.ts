/** What every later step begins with: read the folder, rebuild the draft, and compare it with the one that lies there. */
import { type CeremonyFiles, readDraft, readEnrolments, readOpening } from '#cli/ceremony/folder.ts';
import { readVersion } from '#cli/version.ts';
import { requireSameDraft } from '#genesis/ceremony/differences.ts';
import { buildDraft, type Draft } from '#genesis/ceremony/draft.ts';
import type { Opening } from '#genesis/ceremony/open.ts';

export type Rebuilt = { readonly opening: Opening; readonly draft: Draft };

/** From the opening and the enrolments alone. */
export const rebuildDraft = async (files: CeremonyFiles): Promise<Rebuilt> => {
  const opening = await readOpening(files);
  return { opening, draft: await buildDraft(opening, await readEnrolments(files, opening), readVersion()) };
};

/** @returns the rebuilt one, never the file's. @throws CeremonyError DIFFERENT */
export const rebuildAndCompare = async (files: CeremonyFiles): Promise<Rebuilt> => {
  const stated = await readDraft(files);
  const rebuilt = await rebuildDraft(files);
  requireSameDraft(stated, rebuilt.draft);
  return rebuilt;
};
