import Glibc

/// Reads small text files whole: regular files only, for a pipe or a device could give bytes for ever, or none until
/// somebody writes, and the thread that waits for that hears no signal. Blocks; called at start and on reload, never on
/// a worker.
enum BoundedFile {
    /// Why a file could not be read, as the end of a sentence.
    struct Failure: Error {
        var reason: String
    }

    /// Bytes read at a time.
    private static let pieceBytes = 1 << 16

    static func read(_ path: String, maximumBytes: Int) throws(Failure) -> String {
        // O_NONBLOCK: opening a FIFO that nobody writes to does not wait.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw Failure(reason: errno == ENOENT ? "does not exist" : "cannot be opened for reading")
        }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(reason: "is no regular file")
        }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: Self.pieceBytes)
        while bytes.count <= maximumBytes {
            let count = unsafe piece.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure(reason: "cannot be read") }
            if count == 0 { break }
            bytes += piece[..<count]
        }
        guard bytes.count <= maximumBytes else { throw Failure(reason: "is larger than \(maximumBytes) bytes") }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Failure(reason: "is not UTF-8 text") }
        return text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text
    }
}
