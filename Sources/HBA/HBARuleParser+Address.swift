extension HBARuleParser {
    /// What became of the address column.
    enum AddressReading {
        case read(HBAAddress)
        /// With an error; the method is the next column all the same.
        case refused
        /// With an error; whether the next column is a mask or the method cannot be told.
        case refusedAndLost
    }

    /// The address column, and the mask column where there is one.
    mutating func readAddress() -> AddressReading {
        guard let field = self.take("an address"),
            let token = self.single(field, "address", hint: "write one rule per address range")
        else { return .refusedAndLost }
        if token.isKeyword("all") {
            return self.isPlainKeyword(token) ? .read(.all) : .refused
        }
        if token.isKeyword("samehost") {
            return self.isPlainKeyword(token) ? .read(.sameHost) : .refused
        }
        if token.isKeyword("samenet") {
            return self.isPlainKeyword(token) ? .read(.sameNet) : .refused
        }
        if token.text.utf8.contains(UInt8(ascii: "/")) {
            return self.readCIDR(token)
        }
        if let address = IPAddress(exactly: token.text) {
            return self.readMask(of: address, token)
        }
        return self.readHostName(token)
    }

    private mutating func readCIDR(_ token: HBAToken) -> AddressReading {
        switch IPNetwork.parse(token.text) {
        case .network(let network):
            return self.accept(network, token)
        case .badAddress(let text):
            self.refuse(token, "\(text.excerpt) is not an IP address", hint: Self.addressHint)
        case .badPrefix(let text, let longest):
            self.refuse(token, "\(text.excerpt) is not a prefix length of 0 to \(longest)")
        }
        return .refused
    }

    private mutating func readMask(of address: IPAddress, _ token: HBAToken) -> AddressReading {
        guard let field = self.take("the mask of \(address)"), let maskToken = self.single(field, "mask") else {
            return .refusedAndLost
        }
        guard let mask = IPAddress(exactly: maskToken.text) else {
            self.refuse(
                maskToken,
                "\(maskToken.text.excerpt) is not an IP mask",
                hint: "after an address without a prefix length comes its mask: \(address)/\(address.family.bitCount) "
                    + "means this address alone"
            )
            return .refusedAndLost
        }
        guard mask.family == address.family else {
            self.refuse(maskToken, "address and mask are of different families")
            return .refused
        }
        guard let prefixLength = IPNetwork.prefixLength(ofMask: mask),
            let network = IPNetwork(address: address, prefixLength: prefixLength)
        else {
            self.refuse(maskToken, "the mask \(mask) has holes", hint: "a mask is one bits, then zero bits")
            return .refused
        }
        return self.accept(network, token)
    }

    private mutating func accept(_ network: IPNetwork, _ token: HBAToken) -> AddressReading {
        guard !network.coversOnlyMappedIPv4 else {
            self.refuse(
                token,
                "an IPv4-mapped IPv6 address matches nobody",
                hint: "IPv4 clients are matched by IPv4 rules: write the IPv4 address"
            )
            return .refused
        }
        return .read(.network(network))
    }

    /// A host name, or an address that is none.
    private mutating func readHostName(_ token: HBAToken) -> AddressReading {
        let isNumeric = token.text.utf8.allSatisfy { "0123456789.".utf8.contains($0) }
        if token.text.isEmpty || isNumeric || token.text.utf8.contains(UInt8(ascii: ":")) {
            self.refuse(token, "\(token.text.excerpt) is not an IP address", hint: Self.addressHint)
            return .refusedAndLost
        }
        if !token.isQuoted, self.methods.method(for: token.text) != nil {
            self.refuse(token, "the address is missing before the method \(token.text)", hint: Self.addressHint)
            return .refusedAndLost
        }
        guard HBAHostName.isPossible(token.text) else {
            self.refuse(token, "\(token.text.excerpt) is neither an address nor a host name", hint: Self.addressHint)
            return .refused
        }
        guard token.isQuoted || HBAHostName.isPlain(token.text) else {
            let nearest = NearestWord.of(token.text, among: HBAHostName.keywords)
            self.refuse(
                token,
                "\(token.text.excerpt) is a host name that looks like a mistake",
                hint: (nearest.map { "did you mean \($0)? " } ?? "") + "put it in double quotes if a host has this name"
            )
            return .refused
        }
        return .read(token.text.begins(with: ".") ? .hostNameSuffix(token.text) : .hostName(token.text))
    }

    private static let addressHint = "addresses are written as 10.0.0.0/8, 2001:db8::/32, a host name, or all"
}

extension IPNetwork {
    /// What a text in CIDR notation turned out to be.
    enum Parsing {
        case network(IPNetwork)
        case badAddress(String)
        case badPrefix(String, longest: Int)
    }

    /// Reads `10.0.0.0/8`: an address without normalisation, a slash, one to three decimal digits.
    static func parse(_ text: String) -> Parsing {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
        let addressText = parts.first.map { String(Substring($0)) } ?? ""
        let prefixText = parts.dropFirst().first.map { String(Substring($0)) } ?? ""
        guard let address = IPAddress(exactly: addressText) else { return .badAddress(addressText) }
        let isNumber = (1...3).contains(prefixText.utf8.count) && prefixText.utf8.allSatisfy { (48...57).contains($0) }
        guard isNumber, let length = Int(prefixText), let network = IPNetwork(address: address, prefixLength: length)
        else { return .badPrefix(prefixText, longest: address.family.bitCount) }
        return .network(network)
    }
}
