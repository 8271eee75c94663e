/** How a deployment can be refused or fail. */
export type DeploymentErrorCode =
  | 'BAD_INPUT'
  | 'WRONG_CHAIN'
  | 'WRONG_SIGNER'
  | 'DEPLOYER_USED'
  | 'NOT_FUNDED'
  | 'FACTORY_FAILED'
  | 'DEPLOY_REVERTED'
  | 'TOO_MUCH_GAS'
  | 'REPLAY_FAILED'
  | 'VERIFICATION_FAILED'
  | 'TIMED_OUT';

export class DeploymentError extends Error {
  override readonly name = 'DeploymentError';
  readonly code: DeploymentErrorCode;
  constructor(code: DeploymentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
