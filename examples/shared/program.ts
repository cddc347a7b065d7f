/**
 * @file Whether a module is the program that was started, or was imported by another.
 */
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** True for the module that Node was started with. */
export const isProgram = (moduleUrl: string): boolean => process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(moduleUrl);
