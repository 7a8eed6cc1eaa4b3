import type { Command } from "./command.ts";
import { add } from "./commands/add.ts";
import { completion } from "./commands/completion.ts";
import { destroy } from "./commands/destroy.ts";
import { doctor } from "./commands/doctor.ts";
import { init } from "./commands/init.ts";
import { join } from "./commands/join.ts";
import { leave } from "./commands/leave.ts";
import { plan } from "./commands/plan.ts";
import { preview } from "./commands/preview.ts";
import { refresh } from "./commands/refresh.ts";
import { status } from "./commands/status.ts";
import { topology } from "./commands/topology.ts";
import { up } from "./commands/up.ts";
import { verify } from "./commands/verify.ts";

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [
    init,
    plan,
    preview,
    up,
    refresh,
    destroy,
    add,
    join,
    leave,
    status,
    verify,
    doctor,
    topology,
    completion,
];
