/** Why a version has no compiled function: it is scored online and in batches only. The message is for its deployer. */
export class NativeRefusal extends Error {
  override readonly name = 'NativeRefusal';
}
