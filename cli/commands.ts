import type { Command } from "./command.ts";
import { doctor } from "./commands/doctor.ts";
import { join, leave } from "./commands/join.ts";
import { plan } from "./commands/plan.ts";
import { status } from "./commands/status.ts";
import { topology } from "./commands/topology.ts";
import { destroy, preview, refresh, up } from "./commands/up.ts";
import { verify } from "./commands/verify.ts";

/** All there are, in the order in which help lists them. */
export const COMMANDS: readonly Command[] = [plan, preview, up, refresh, destroy, join, leave, status, verify, doctor, topology];
