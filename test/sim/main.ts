/**
 * `npm run sim`: the simulator's command (README.md says what its options do).
 *
 * The hooks come before anything of the product is loaded.
 */
import './hooks.ts';

const { runCommand } = await import('./command.ts');
process.exitCode = await runCommand(process.argv.slice(2));
