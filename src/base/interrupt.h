#pragma once

namespace tenon {

/// Makes Ctrl-C (SIGINT) and SIGTERM set a flag that long work polls; a second one ends the process at once.
/// SIGXFSZ is ignored: writes then fail with a reason.
void InstallInterruptHandler();

/// Throws Error(kInterrupted) once the flag is set. Cheap: call it per image, per tactic, per pass.
void CheckInterrupt();

}  // namespace tenon
