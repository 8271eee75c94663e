/** What we use of pkcs11js, which is optional: types are checked also where it could not be compiled. */
declare module 'pkcs11js' {
  export type Attribute = { readonly type: number; readonly value?: number | boolean | string | Buffer };
  export type Mechanism = { readonly mechanism: number; readonly parameter?: Buffer };

  export class PKCS11 {
    load(path: string): void;
    C_Initialize(options?: { readonly flags: number }): void;
    C_Finalize(): void;
    C_GetSlotList(tokenPresent: boolean): Buffer[];
    C_GetTokenInfo(slot: Buffer): { readonly label: string };
    C_OpenSession(slot: Buffer, flags: number): Buffer;
    C_Login(session: Buffer, userType: number, pin: string): void;
    C_FindObjectsInit(session: Buffer, template: readonly Attribute[]): void;
    C_FindObjects(session: Buffer, maxCount: number): Buffer[];
    C_FindObjectsFinal(session: Buffer): void;
    C_GetAttributeValue(session: Buffer, object: Buffer, template: readonly Attribute[]): { value: Buffer }[];
    C_GenerateKeyPair(
      session: Buffer,
      mechanism: Mechanism,
      publicTemplate: readonly Attribute[],
      privateTemplate: readonly Attribute[],
    ): { readonly publicKey: Buffer; readonly privateKey: Buffer };
    C_SignInit(session: Buffer, mechanism: Mechanism, key: Buffer): void;
    C_Sign(session: Buffer, data: Buffer, output: Buffer): Buffer;
  }

  export const CKF_OS_LOCKING_OK: number;
  export const CKF_SERIAL_SESSION: number;
  export const CKF_RW_SESSION: number;
  export const CKU_USER: number;
  export const CKO_PUBLIC_KEY: number;
  export const CKO_PRIVATE_KEY: number;
  export const CKA_CLASS: number;
  export const CKA_TOKEN: number;
  export const CKA_PRIVATE: number;
  export const CKA_LABEL: number;
  export const CKA_VALUE: number;
  export const CKA_SENSITIVE: number;
  export const CKA_EXTRACTABLE: number;
  export const CKA_SIGN: number;
  export const CKA_VERIFY: number;
  export const CKA_EC_PARAMS: number;
  export const CKA_EC_POINT: number;
  export const CKM_EC_KEY_PAIR_GEN: number;
  export const CKM_ECDSA: number;
  export const CKR_CRYPTOKI_ALREADY_INITIALIZED: number;
  export const CKR_USER_ALREADY_LOGGED_IN: number;
  export const CKR_PIN_INCORRECT: number;
  export const CKR_PIN_LEN_RANGE: number;
  export const CKR_PIN_LOCKED: number;
}
