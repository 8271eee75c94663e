/** The native binding has the interface of the package's entry; @types/secp256k1 describes only the entry. */
declare module 'secp256k1/bindings.js' {
  import secp256k1 from 'secp256k1';
  export default secp256k1;
}
