public import Sessions

/// The conversation with one client during its login: each call sends one authentication request and waits for the
/// client's answer.
///
/// Belongs to one login on one worker. Calls throw, and keep throwing, when the client leaves, breaks the protocol,
/// sends more than the gateway's limit for login messages, or the login deadline passes; a provider lets such failures
/// through. Requests of different methods must not be mixed within a login.
public protocol ClientDialogue {
    /// Sends AuthenticationCleartextPassword; returns the password as sent, without the final NUL.
    func requestCleartextPassword() async throws(AuthFailure) -> SecretBytes

    /// Sends AuthenticationMD5Password; returns the client's text (`md5` and 32 digits when it is honest).
    ///
    /// - Parameter salt: four unpredictable bytes.
    func requestMD5Password(salt: [UInt8]) async throws(AuthFailure) -> SecretBytes

    /// Sends AuthenticationSASL; returns the SASLInitialResponse.
    ///
    /// - Parameter mechanisms: in order of preference; at least one.
    /// - Returns: the mechanism as the client named it, which may be one that was not offered, and its first data, nil
    ///   when the client sent none.
    func requestSASL(mechanisms: [String]) async throws(AuthFailure) -> (mechanism: String, data: [UInt8]?)

    /// Sends AuthenticationSASLContinue; returns the data of the SASLResponse.
    func continueSASL(_ challenge: [UInt8]) async throws(AuthFailure) -> [UInt8]

    /// Sends AuthenticationSASLFinal; there is no answer to it.
    func finishSASL(_ data: [UInt8]) async throws(AuthFailure)
}
