#!/usr/bin/env node
/** The command line `weir`: the launcher with another verb, so that it too works from any Node and on a fresh checkout. */

import { argv } from 'node:process';

argv.splice(2, 0, 'weir');
await import('./launch.mjs');
