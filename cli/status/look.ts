/** One look at the nodes: asks all of them at once, judges, and gives it for people and for machines. */
import type { Answer } from '#cli/command.ts';
import { type Endpoint, readEndpoint } from '#cli/status/remote.ts';
import { type Paint, renderStatus } from '#cli/status/render.ts';
import { judge } from '#cli/status/verdict.ts';

export const lookAt = async (endpoints: readonly Endpoint[], paint: Paint): Promise<Answer> => {
  const reports = await Promise.all(endpoints.map(readEndpoint));
  const verdict = judge(reports);
  const { spokesman } = verdict;
  return {
    exitCode: verdict.exitCode,
    text: renderStatus(reports, verdict, paint),
    data: {
      state: verdict.state,
      exitCode: verdict.exitCode,
      code: spokesman?.progress.code ?? 'UNREACHABLE',
      sentence: spokesman?.progress.sentence ?? 'None of the nodes that were asked answers',
      remedy: spokesman?.progress.remedy ?? null,
      nodes: reports.map((report) =>
        report.answers
          ? {
              url: report.url,
              name: report.name,
              reachable: true,
              status: report.raw,
              problem: null,
              remedy: null,
            }
          : {
              url: report.url,
              name: report.name,
              reachable: false,
              status: null,
              problem: report.problem,
              remedy: report.remedy,
            },
      ),
    },
  };
};
