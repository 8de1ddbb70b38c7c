/// Channel binding of SCRAM (RFC 5802 section 6) by the server's certificate (`tls-server-end-point`, RFC 5929).
enum SCRAMBinding {
    static let type = "tls-server-end-point"

    /// The gs2 header of a client that binds.
    static let header = Array("p=\(Self.type),,".utf8)
}
