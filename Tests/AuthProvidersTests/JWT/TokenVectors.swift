/// Keys and tokens made by PyJWT, an implementation that shares no code with ours. The tokens of user `app` hold from
/// 1700000000 to 2000000000 and are named `k-` and their algorithm. Whoever wants others makes keys anew: the private
/// ones have not been kept.
enum TokenVectors {
    static let rsa = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyU+xMDIml/0P7MtoltTt
        jGJCXqbi8C+CtO0Uofiez8dEWNfSeP4cdIHU1TELvKak6vVHGk5ufm3X64p134qh
        NSPTuBZvTCAVu+aMy/Xq6cWruplWIUsPhNUFvXQiS4K3H1rHo9uqfDDNROMItUNh
        vB5GA/D6ZYr6V3i0lEvnVteZGrrF9UR34PZSSWiX/ShJ25VmjKz9UfK1qEr1NRLN
        UNkrCb3ewDWInYKEi+BAkNBYWO+j08M7LlEm4/66HnqdAAh++Ly/0PwwHqllrxJN
        pano3oImdmGivYKdtJemMUbFj2Eq3azmg5qrYKJzO2jG/RWZ0/OaBcSwgsIyzZ3I
        PwIDAQAB
        -----END PUBLIC KEY-----
        """
    static let rsaPKCS1 = """
        -----BEGIN RSA PUBLIC KEY-----
        MIIBCgKCAQEAyU+xMDIml/0P7MtoltTtjGJCXqbi8C+CtO0Uofiez8dEWNfSeP4c
        dIHU1TELvKak6vVHGk5ufm3X64p134qhNSPTuBZvTCAVu+aMy/Xq6cWruplWIUsP
        hNUFvXQiS4K3H1rHo9uqfDDNROMItUNhvB5GA/D6ZYr6V3i0lEvnVteZGrrF9UR3
        4PZSSWiX/ShJ25VmjKz9UfK1qEr1NRLNUNkrCb3ewDWInYKEi+BAkNBYWO+j08M7
        LlEm4/66HnqdAAh++Ly/0PwwHqllrxJNpano3oImdmGivYKdtJemMUbFj2Eq3azm
        g5qrYKJzO2jG/RWZ0/OaBcSwgsIyzZ3IPwIDAQAB
        -----END RSA PUBLIC KEY-----
        """
    static let rsaCertificate = """
        -----BEGIN CERTIFICATE-----
        MIICmzCCAYOgAwIBAgIBATANBgkqhkiG9w0BAQsFADARMQ8wDQYDVQQDDAZpc3N1
        ZXIwHhcNMjAwMTAxMDAwMDAwWhcNNDAwMTAxMDAwMDAwWjARMQ8wDQYDVQQDDAZp
        c3N1ZXIwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQDJT7EwMiaX/Q/s
        y2iW1O2MYkJepuLwL4K07RSh+J7Px0RY19J4/hx0gdTVMQu8pqTq9UcaTm5+bdfr
        inXfiqE1I9O4Fm9MIBW75ozL9erpxau6mVYhSw+E1QW9dCJLgrcfWsej26p8MM1E
        4wi1Q2G8HkYD8PplivpXeLSUS+dW15kausX1RHfg9lJJaJf9KEnblWaMrP1R8rWo
        SvU1Es1Q2SsJvd7ANYidgoSL4ECQ0FhY76PTwzsuUSbj/roeep0ACH74vL/Q/DAe
        qWWvEk2lqejegiZ2YaK9gp20l6YxRsWPYSrdrOaDmqtgonM7aMb9FZnT85oFxLCC
        wjLNncg/AgMBAAEwDQYJKoZIhvcNAQELBQADggEBAFhLR7gaFPWyljcwm0DqdjEI
        82X4IPA796OmODV1jshULkRaEc2EDfajFEZ4XRJc3tY8wDSnL/GKsot9eWv8HTnG
        mFGpB2h13C8LhS2V1mEOA82665NjRIDIcXM6aW0tSycBITiGlbCjMY+GDGMzQFb5
        2S+TMKMOf0DSvWbFrNBP3arXnfr1UEGtdmkEN8EXNmI1MDOXZdgeh+87Vrlo+uny
        FmdMJBPGc+yahKuplXNYl+SrDOw4STIRdvUV73ymWTkocZDoQrBXwL+ut8IjGjHK
        MkjSUKI01b+/yYCAJIWE14GxQ0CpGwGnckHUgL1UGqTtmiO8W2dlWHHPd1MUBU0=
        -----END CERTIFICATE-----
        """
    static let rsa1024 = """
        -----BEGIN PUBLIC KEY-----
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDi2GsfZIABYLScFjT2nSshzbaJ
        fKgdyXYx9G9ACn7+YhyoH1HGDw6tZBuST0na1wELKOgHjqF8jKhlTb9XeYzAIyPE
        qAOTUjGCOm0fPq57llQUjKtKhLdz2XawFReKk9bUYnyKix6RwUKlShJ0Kwn60gYv
        gcPzkUkczSBnH1FG+wIDAQAB
        -----END PUBLIC KEY-----
        """
    static let p256 = """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEBaBIo8DvcnIq8I7ca55NmCWsJkOF
        sXdzW+pAabpl0rGvQ/4owcd7aIRTJIi+4MSghqTPprld61LHYtj4bKL92g==
        -----END PUBLIC KEY-----
        """
    static let p384 = """
        -----BEGIN PUBLIC KEY-----
        MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE5tTxIkm+djbkMVsurJCcLJPEBta8Ny1I
        2OTJjQDQ26yBWuznEeoZgWmx+l8LfcymdjJD8eKeqFYDqyz+PlxSSW8FZM7BTdSp
        UbrEqdU/aiS6fjkvn6+lVjcfv0PJB5Ys
        -----END PUBLIC KEY-----
        """
    static let p521 = """
        -----BEGIN PUBLIC KEY-----
        MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQALZqVge6sxdcI/swbuqxBIb6Micum
        yc3G8RiI0Mt+Bdez6UIXZxYgcbSwPmK8vnCTgrjdUacMDGDXDDnTRPm7a78BzdmE
        cJpZAZyBnqSOr3s4/d9axI8/TLFMPdpl4o5UTrILvoH4xN5qN/96Ex4Co8gp2SzH
        k5gzoeZ4wlG2e+a8slg=
        -----END PUBLIC KEY-----
        """
    static let ed25519 = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEA3uDarQNzcoRQaMoh6FyKe6kZKcn4ajyKyB2qbuX81os=
        -----END PUBLIC KEY-----
        """

    // For minted tokens: keys that open nothing.
    static let mintRSA = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC6amJZ71FppBYM
        DmBAeypOL73K0HRXKf4sXFHsfhbbfDxB+kVmdGIXTNSa3CsJsPIu9vL2MekKPond
        NA53XlNynAoytMYD0d0MrKil0xibUAHZBxDUhNNDxG8gRNu+DNw4JQra0I8doJ8M
        dmF7Cn64ar5JDwY7aqKemedFHPLdzhe8blQYcKZApWVSA7C9nthnSR080Dva8FYH
        Yms2acqLgHRfk6UVOqbI7jq+3CW1e3JgEZEZEPByhzLU0Gii6qCzeDrfK+mMjweM
        82kMqheIpZm6ZrpB0sMjb36BEuNcTWw3pLn3uk1RIOtVdOTAViw8orxXztHA2L20
        tgziGGTJAgMBAAECggEAKHkyk14vaeVTWBjC8x0KqWEaLu+lYsteQRlmPBeANPU7
        TAPfj4gTSAXJXzoQKhF9845wX92kQDIl0p4byfTz3z1bxXiUSX4GJVtTXnV/sTDk
        xc8P62RPTjZW/kWVBCVcpt/8BFglyoP2JEmLjqBPtRCP8eLOMpZLam311X6ciGV4
        ygmYG7+1CNTpG6alFkiqId1yxj+9o1GK0mAYvZAsuVtTYSu2zUL5iBT82T1pUdV0
        8h7gU2VWKpMkGpmHG6Ri66ZXpPq8njwWtzzqxCX5ac/Y8UgECmito3Rfi39kzfUV
        bGMbf64VOXISFjdDiIyJbqxBQOAi1IePrPyiXnXapQKBgQDc5G/fjGS1WBv815eq
        8e3xV9KLgsot8vzvdKeCj+mVZN9Jz15/VJ8VsEdYm8xZuMUOvJC9X6n6SBQRU5v2
        nW+dO9kcv1SU6FgenGirMvlug8YwEcDRRVl7BKnnqq6O05wJ+VIMq0kAE7cdhsI8
        cnuiWkXG1LX/5K7k/mLqej2wpwKBgQDYCyw0b/u8E2lLZNrM8azmp7I3oYvJYCqP
        U0IBG1tNUmJBRw2DSkzScKyyIbnFDlkbjf0akc8jyy36RSNb2lifLrKUQBMtZxW8
        ECjVCkWHeAf4RkWPatH6hVKfvtw4OiT0LnHpgHIBTntanwOoyxKeQ8Y6arrEEQ0c
        S89XPqr9DwKBgHmS6Nfax1rfwZepePpG6TTZpzHNrEUZ5YhNZhx/5Imq2RIgpdvi
        0SP4v2vPY+tFvH9d3TO9QSpVHWZj5AUZpWKem+Isk/rY3hcK8ri2932R3TR7sOn9
        B0Cj0neFA0nswYbjx/rdEvKN50zC7IikYdN7Z8gFLp5GWNQEBqES4n0lAoGAfL5O
        wuRaFSmcJaVRVP7Cl9gCZm7HuPnm+STYuqziFg5Yn1p4afNv0h6vCJfCnQ6A0xE0
        MLA6S2+Y16YuGW5Et30OLd2ldRTNju5BtWkd5m+fInLo3TuPjLiIkaZxn6GrDrb2
        nR3GNgzr2tJwGXlQAcQeZEKWHnm9+TWovbZ4om8CgYEAuNrbWZ4I93IBzW/qTChl
        JoxGPvyZJ4xD6MGyDOocu4BVLuN4PdBDFHe2t0iahfDnLpFtl0v9KAoeTOSt1Dh+
        K/Sf9AHIXqaLN30J5lV/JNAeCzUePwx69cJSianNnlQOjDv7NGj9QKg4nnYwsy++
        Qxqgo+LSdWOdBs2qxsmQspM=
        -----END PRIVATE KEY-----
        """
    static let mintRSAPublic = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAumpiWe9RaaQWDA5gQHsq
        Ti+9ytB0Vyn+LFxR7H4W23w8QfpFZnRiF0zUmtwrCbDyLvby9jHpCj6J3TQOd15T
        cpwKMrTGA9HdDKyopdMYm1AB2QcQ1ITTQ8RvIETbvgzcOCUK2tCPHaCfDHZhewp+
        uGq+SQ8GO2qinpnnRRzy3c4XvG5UGHCmQKVlUgOwvZ7YZ0kdPNA72vBWB2JrNmnK
        i4B0X5OlFTqmyO46vtwltXtyYBGRGRDwcocy1NBoouqgs3g63yvpjI8HjPNpDKoX
        iKWZuma6QdLDI29+gRLjXE1sN6S597pNUSDrVXTkwFYsPKK8V87RwNi9tLYM4hhk
        yQIDAQAB
        -----END PUBLIC KEY-----
        """
    static let mintP256 = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghO26oc6GlEe7sivl
        fOKXdlpnYSo1QeshnF5DVtlEvxmhRANCAARAWH/4WKdMYzrUSSm/Uk10zORKklyh
        CkNfee5NmZVzZFC/4v2upzE2ftS3O8kWKadQ5bfLTL4BQNaEiRlM01Aw
        -----END PRIVATE KEY-----
        """
    static let mintP256Public = """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQFh/+FinTGM61Ekpv1JNdMzkSpJc
        oQpDX3nuTZmVc2RQv+L9rqcxNn7UtzvJFimnUOW3y0y+AUDWhIkZTNNQMA==
        -----END PUBLIC KEY-----
        """

    /// A kind that mints nothing.
    static let ed25519Private = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEIFnSiwpA+2zsdJsu3Wh0HBygGKoyOVDoWBPXRrxWt6uP
        -----END PRIVATE KEY-----
        """

    static let keySet = """
        {"keys":[{"kty":"oct","kid":"secret","k":"AAAA"},{"kty":"RSA","kid":"enc","use":"enc","n":"yU-xM\
        DIml_0P7MtoltTtjGJCXqbi8C-CtO0Uofiez8dEWNfSeP4cdIHU1TELvKak6vVHGk5ufm3X64p134qhNSPTuBZvTCAVu-aMy\
        _Xq6cWruplWIUsPhNUFvXQiS4K3H1rHo9uqfDDNROMItUNhvB5GA_D6ZYr6V3i0lEvnVteZGrrF9UR34PZSSWiX_ShJ25Vmj\
        Kz9UfK1qEr1NRLNUNkrCb3ewDWInYKEi-BAkNBYWO-j08M7LlEm4_66HnqdAAh--Ly_0PwwHqllrxJNpano3oImdmGivYKdt\
        JemMUbFj2Eq3azmg5qrYKJzO2jG_RWZ0_OaBcSwgsIyzZ3IPw","e":"AQAB"},{"kty":"RSA","kid":"k-RS256","alg\
        ":"RS256","use":"sig","n":"yU-xMDIml_0P7MtoltTtjGJCXqbi8C-CtO0Uofiez8dEWNfSeP4cdIHU1TELvKak6vVHG\
        k5ufm3X64p134qhNSPTuBZvTCAVu-aMy_Xq6cWruplWIUsPhNUFvXQiS4K3H1rHo9uqfDDNROMItUNhvB5GA_D6ZYr6V3i0l\
        EvnVteZGrrF9UR34PZSSWiX_ShJ25VmjKz9UfK1qEr1NRLNUNkrCb3ewDWInYKEi-BAkNBYWO-j08M7LlEm4_66HnqdAAh--\
        Ly_0PwwHqllrxJNpano3oImdmGivYKdtJemMUbFj2Eq3azmg5qrYKJzO2jG_RWZ0_OaBcSwgsIyzZ3IPw","e":"AQAB"},{\
        "kty":"RSA","kid":"k-RS384","alg":"RS384","use":"sig","n":"yU-xMDIml_0P7MtoltTtjGJCXqbi8C-CtO0Uo\
        fiez8dEWNfSeP4cdIHU1TELvKak6vVHGk5ufm3X64p134qhNSPTuBZvTCAVu-aMy_Xq6cWruplWIUsPhNUFvXQiS4K3H1rHo\
        9uqfDDNROMItUNhvB5GA_D6ZYr6V3i0lEvnVteZGrrF9UR34PZSSWiX_ShJ25VmjKz9UfK1qEr1NRLNUNkrCb3ewDWInYKEi\
        -BAkNBYWO-j08M7LlEm4_66HnqdAAh--Ly_0PwwHqllrxJNpano3oImdmGivYKdtJemMUbFj2Eq3azmg5qrYKJzO2jG_RWZ0\
        _OaBcSwgsIyzZ3IPw","e":"AQAB"},{"kty":"RSA","kid":"k-RS512","alg":"RS512","use":"sig","n":"yU-xM\
        DIml_0P7MtoltTtjGJCXqbi8C-CtO0Uofiez8dEWNfSeP4cdIHU1TELvKak6vVHGk5ufm3X64p134qhNSPTuBZvTCAVu-aMy\
        _Xq6cWruplWIUsPhNUFvXQiS4K3H1rHo9uqfDDNROMItUNhvB5GA_D6ZYr6V3i0lEvnVteZGrrF9UR34PZSSWiX_ShJ25Vmj\
        Kz9UfK1qEr1NRLNUNkrCb3ewDWInYKEi-BAkNBYWO-j08M7LlEm4_66HnqdAAh--Ly_0PwwHqllrxJNpano3oImdmGivYKdt\
        JemMUbFj2Eq3azmg5qrYKJzO2jG_RWZ0_OaBcSwgsIyzZ3IPw","e":"AQAB"},{"kty":"RSA","kid":"k-PS256","alg\
        ":"PS256","use":"sig","n":"yU-xMDIml_0P7MtoltTtjGJCXqbi8C-CtO0Uofiez8dEWNfSeP4cdIHU1TELvKak6vVHG\
        k5ufm3X64p134qhNSPTuBZvTCAVu-aMy_Xq6cWruplWIUsPhNUFvXQiS4K3H1rHo9uqfDDNROMItUNhvB5GA_D6ZYr6V3i0l\
        EvnVteZGrrF9UR34PZSSWiX_ShJ25VmjKz9UfK1qEr1NRLNUNkrCb3ewDWInYKEi-BAkNBYWO-j08M7LlEm4_66HnqdAAh--\
        Ly_0PwwHqllrxJNpano3oImdmGivYKdtJemMUbFj2Eq3azmg5qrYKJzO2jG_RWZ0_OaBcSwgsIyzZ3IPw","e":"AQAB"},{\
        "kty":"RSA","kid":"k-PS384","alg":"PS384","use":"sig","n":"yU-xMDIml_0P7MtoltTtjGJCXqbi8C-CtO0Uo\
        fiez8dEWNfSeP4cdIHU1TELvKak6vVHGk5ufm3X64p134qhNSPTuBZvTCAVu-aMy_Xq6cWruplWIUsPhNUFvXQiS4K3H1rHo\
        9uqfDDNROMItUNhvB5GA_D6ZYr6V3i0lEvnVteZGrrF9UR34PZSSWiX_ShJ25VmjKz9UfK1qEr1NRLNUNkrCb3ewDWInYKEi\
        -BAkNBYWO-j08M7LlEm4_66HnqdAAh--Ly_0PwwHqllrxJNpano3oImdmGivYKdtJemMUbFj2Eq3azmg5qrYKJzO2jG_RWZ0\
        _OaBcSwgsIyzZ3IPw","e":"AQAB"},{"kty":"RSA","kid":"k-PS512","alg":"PS512","use":"sig","n":"yU-xM\
        DIml_0P7MtoltTtjGJCXqbi8C-CtO0Uofiez8dEWNfSeP4cdIHU1TELvKak6vVHGk5ufm3X64p134qhNSPTuBZvTCAVu-aMy\
        _Xq6cWruplWIUsPhNUFvXQiS4K3H1rHo9uqfDDNROMItUNhvB5GA_D6ZYr6V3i0lEvnVteZGrrF9UR34PZSSWiX_ShJ25Vmj\
        Kz9UfK1qEr1NRLNUNkrCb3ewDWInYKEi-BAkNBYWO-j08M7LlEm4_66HnqdAAh--Ly_0PwwHqllrxJNpano3oImdmGivYKdt\
        JemMUbFj2Eq3azmg5qrYKJzO2jG_RWZ0_OaBcSwgsIyzZ3IPw","e":"AQAB"},{"kty":"EC","kid":"k-ES256","crv"\
        :"P-256","x":"BaBIo8DvcnIq8I7ca55NmCWsJkOFsXdzW-pAabpl0rE","y":"r0P-KMHHe2iEUySIvuDEoIakz6a5XetS\
        x2LY-Gyi_do"},{"kty":"EC","kid":"k-ES384","crv":"P-384","x":"5tTxIkm-djbkMVsurJCcLJPEBta8Ny1I2OT\
        JjQDQ26yBWuznEeoZgWmx-l8Lfcym","y":"djJD8eKeqFYDqyz-PlxSSW8FZM7BTdSpUbrEqdU_aiS6fjkvn6-lVjcfv0PJ\
        B5Ys"},{"kty":"OKP","kid":"k-EdDSA","crv":"Ed25519","x":"3uDarQNzcoRQaMoh6FyKe6kZKcn4ajyKyB2qbuX\
        81os"}]}
        """

    static let tokens: [(algorithm: String, token: String)] = [
        (
            "RS256",
            """
            eyJhbGciOiJSUzI1NiIsImtpZCI6ImstUlMyNTYiLCJ0eXAiOiJKV1QifQ.eyJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhcHAiL\
            CJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwibmJmIjoxNzAwMDAwMDAwLCJpc3MiOiJodHRwczovL2lzc3Vlc\
            i5leGFtcGxlIiwiYXVkIjpbInBnZ2F0ZXdheSIsIm90aGVyIl19.NJfp852ReHUg_Q4WRCkriGD6aBd-qwE_aIStkoymILPQ\
            83xncslfe-Vo833I5bcKTz40NmrY9nV4V9d0HCqh2_WvCTvQaVwdXkN9XTkio52k6hScXIJbzYQLWAnw0Km93Ct_P6ziuRB9\
            tRZpW-ddcdHd9MQCDYyy_DZJCtniX9LGaa4Uvf0p3-UI25HZwYDd8xCUjAHQmMCUF96sx_nu9AXD2MYesYLplR4Wd9UnwdvS\
            VBfbpMKIGkWebEBi1lMADszWbhadaUIH6Fyj92OwUDUiCbCkravJf6kYYaWo7mjFvh23Z6ps_Jg3iBPTfrNdGQvc3QaVAzge\
            7q93LZbSLw
            """
        ),
        (
            "RS384",
            """
            eyJhbGciOiJSUzM4NCIsImtpZCI6ImstUlMzODQiLCJ0eXAiOiJKV1QifQ.eyJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhcHAiL\
            CJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwibmJmIjoxNzAwMDAwMDAwLCJpc3MiOiJodHRwczovL2lzc3Vlc\
            i5leGFtcGxlIiwiYXVkIjpbInBnZ2F0ZXdheSIsIm90aGVyIl19.ZD4ICJ1sJkRJy_8QXcD0821GMqCxuAAUd8b6YUX93UyP\
            lTYbSOf1VSaVR-DZvgMdbUVlUOWHAxfP_-n_WjeDtg4mItVp1FGbojqZQatjo03EnShsmSEZnMUlcvKN3QfoaJIth8-RVBNr\
            W90ULJivqEL1uZnuo3J3gCf8PKq1gYSAECVqpUPZPA9mB4ejKyfRfOUY9ZzqIipXl5oMUQlpORuVTBgHd0McowvMUEAnuPzF\
            nuGD0mB_PR1OZthy-YQ-M6gUsVs5HPF40L5aQjbISZEG0iHPqTLnifNaJM3eWCcys4S0MrDTpt0piJp5xC9YkEpd798JxAa2\
            hiZxVO4gEw
            """
        ),
        (
            "RS512",
            """
            eyJhbGciOiJSUzUxMiIsImtpZCI6ImstUlM1MTIiLCJ0eXAiOiJKV1QifQ.eyJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhcHAiL\
            CJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwibmJmIjoxNzAwMDAwMDAwLCJpc3MiOiJodHRwczovL2lzc3Vlc\
            i5leGFtcGxlIiwiYXVkIjpbInBnZ2F0ZXdheSIsIm90aGVyIl19.js6gdNdnmHjMGiAEJKb04QkdD4NmlxxUYZgPoh22AeMj\
            LatCjlm4zzrIWh8oFhqwJvnPHItgxBnUx7GTh0CjHjiZ-oP-WXjzHejT38din583SbldKXfsM0-3i9etqXCuEexGPyfJD20h\
            YnuFWCsiDVyrQmSgqQ6Mnsju4j0elEbWV3xkQI2Y0wh_2AQo_oXckxVlAK58HRvlVl7D6VqhsNLIw65zTBoGmb17Qv9Pyul9\
            X0WzOXrpUEUVTYdkQmaQOQDzvt9QRoCRauDdET3CtxI9vgkkNIXGgb9QDSBrRTED82KjspBLteGcmx8xNhoBQ0FysJDnyQRx\
            Pwqtjj_sog
            """
        ),
        (
            "PS256",
            """
            eyJhbGciOiJQUzI1NiIsImtpZCI6ImstUFMyNTYiLCJ0eXAiOiJKV1QifQ.eyJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhcHAiL\
            CJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwibmJmIjoxNzAwMDAwMDAwLCJpc3MiOiJodHRwczovL2lzc3Vlc\
            i5leGFtcGxlIiwiYXVkIjpbInBnZ2F0ZXdheSIsIm90aGVyIl19.obJXBBTdwWaiGHpsE0-4hXb-yCvWnt6pFzpD2NjJNa5R\
            o5IszXIWnAjeYHvoOynR0YxsMEltY2bY0k3tlIeLe36l3_eWu6zWp0G6tIBXiNJPBtkqXs25ZQpS19ephaK4gWlG6-WFweUO\
            L2QHSvzbuQEDGK_xPxAWa05oILZKrb0sJqbEBLSxXSeUi0jBWOGp8QbhWPfPdVYYflW-JSHaalvi8_sCx_Iu3TMiFOJN2DEl\
            sSjF2d2plnbPwiThW8A04FEzXpVng-ysLxhtIdowSltTjTndzHRugPk86UjX7oTafUtzUMtP2d15tF-F9MNFG6dugdo1pBqy\
            4hokhZUekg
            """
        ),
        (
            "PS384",
            """
            eyJhbGciOiJQUzM4NCIsImtpZCI6ImstUFMzODQiLCJ0eXAiOiJKV1QifQ.eyJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhcHAiL\
            CJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwibmJmIjoxNzAwMDAwMDAwLCJpc3MiOiJodHRwczovL2lzc3Vlc\
            i5leGFtcGxlIiwiYXVkIjpbInBnZ2F0ZXdheSIsIm90aGVyIl19.LMKpzG_I4UiPx_Hav0pGRojndvlUycgN4GpJdEN1W1KC\
            P7TpOJ4PVpyOC_USGSarlNmHHfeGop1y3LActP-XtIGURAKZVB7XoZi_GTwHXD35C7lszuOjc4e0AHM3MqTWrQpLI1kNq4gJ\
            -c42OQqWPLrCGiYPBDx7nIaJd-7pc5zzG5nxo1bkIk-X46iASEXOYxz1138GLGHt7c9h8TWxeBqE832dgl4iyyuT3Prr3Ucx\
            AUWQPHJiPPIAgg3FwECNwqpzl6WAtXpvW77THjEyU5OWXctE-rHmJ8C5Ursq766UKsMkj94ff68yloGFq8j3VMNHe-xolao1\
            L94ak5PPaQ
            """
        ),
        (
            "PS512",
            """
            eyJhbGciOiJQUzUxMiIsImtpZCI6ImstUFM1MTIiLCJ0eXAiOiJKV1QifQ.eyJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhcHAiL\
            CJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwibmJmIjoxNzAwMDAwMDAwLCJpc3MiOiJodHRwczovL2lzc3Vlc\
            i5leGFtcGxlIiwiYXVkIjpbInBnZ2F0ZXdheSIsIm90aGVyIl19.Ms5Ve1orVeoSnDzvFcX_JGkm3Rl2kTFInOsQQlCxChN7\
            piH6m_jFv0gZ_PCDVtqp1MrS6BtONdaaB4LVadT8G5MA4FW5oa-wHqondj9m2V95bBjRFsnR_kab160lwa9Kc9n0Byv5p3qs\
            tsBOTSfMmb0GEP2usLnv82b1QdG4Vyq7vETqTkp7s-nSpleTV925bWoBlEBDyCb38kF2XFatmutGcBPYz8GA7TOaouI_64us\
            nAEQdndzvrx8ZsxMFtsA8HaANO96tKKi1cZ9vb-o5aaFAHriEV9onbm9ImeSxTjCt_7MErxZlELfpPXzDXuTYf5JUB7URHFo\
            86i6yRqXfw
            """
        ),
        (
            "ES256",
            """
            eyJhbGciOiJFUzI1NiIsImtpZCI6ImstRVMyNTYiLCJ0eXAiOiJKV1QifQ.eyJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhcHAiL\
            CJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwibmJmIjoxNzAwMDAwMDAwLCJpc3MiOiJodHRwczovL2lzc3Vlc\
            i5leGFtcGxlIiwiYXVkIjpbInBnZ2F0ZXdheSIsIm90aGVyIl19.9HIZcl_BnPlUnARTLt1NGRlk572B8W_4HzGg_G1IXH9b\
            Lrc153K73E2l-XTgSv9bEsHgjCgcRULKQo15unRq3w
            """
        ),
        (
            "ES384",
            """
            eyJhbGciOiJFUzM4NCIsImtpZCI6ImstRVMzODQiLCJ0eXAiOiJKV1QifQ.eyJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhcHAiL\
            CJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwibmJmIjoxNzAwMDAwMDAwLCJpc3MiOiJodHRwczovL2lzc3Vlc\
            i5leGFtcGxlIiwiYXVkIjpbInBnZ2F0ZXdheSIsIm90aGVyIl19.trohpN6sBK8fGTUwn8xlNmhpGFjG479uh0CCD1Vb-f5K\
            xm1dg-sNN8_R6xZMYW72ori9vvbmG-pkksm9hGpo0Op39HE44EFesEWiQscmKVJwnHAXJr4wS3vvhY4BAXrt
            """
        ),
        (
            "EdDSA",
            """
            eyJhbGciOiJFZERTQSIsImtpZCI6ImstRWREU0EiLCJ0eXAiOiJKV1QifQ.eyJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhcHAiL\
            CJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwibmJmIjoxNzAwMDAwMDAwLCJpc3MiOiJodHRwczovL2lzc3Vlc\
            i5leGFtcGxlIiwiYXVkIjpbInBnZ2F0ZXdheSIsIm90aGVyIl19.IPcqVeuuEbkHgLSoDDPC8zOYGOGQTc6OvK3_Mt1_oSW8\
            I3CKFQTMYFR41kZcTIYoleZz23npiDOyjMwi43dgDw
            """
        ),
    ]
}
