#!/usr/bin/env python3
"""Makes the corpora: small .ckpt, safetensors, JSON and strategy files of every shape, and encrypted files of
both container generations (no file of the one before MindSpore 1.7 is known to survive).

Shares no code with Tessera. Ciphers come from the openssl program, except AES-GCM, which is put
together here from AES-ECB (counter mode) and GHASH, because the program refuses it.
The results are committed; the tests do not need this script.
"""
import os
import struct
import subprocess
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = b"0123456789ABCDEF"


def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n >= 128:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def tensor(dims, kind, content, packed=False):
    if packed:
        head = field(1, b"".join(varint(d) for d in dims))
    else:
        head = b"".join(b"\x08" + varint(d) for d in dims)
    return head + field(2, kind.encode()) + field(3, content)


def entry(name, body, number=2):
    return field(1, field(1, name.encode()) + field(number, body))


def floats(*values):
    return struct.pack("<%df" % len(values), *values)


def plain():
    return (entry("fc.weight", tensor([2, 3], "Float32", floats(1, 2, 3, 4, 5, 6)))
            + entry("fc.bias", tensor([2], "Float32", floats(-1, 0.5)))
            + entry("epoch_num", tensor([], "Int64", struct.pack("<q", 90)))
            + entry("note", tensor([0], "str", "Größe".encode("utf-32-le"))))


def openssl(cipher, key, data, iv=None, pad=False):
    command = ["openssl", "enc", "-" + cipher, "-K", key.hex()]
    if iv is not None:
        command += ["-iv", iv.hex()]
    if not pad:
        command.append("-nopad")
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def multiply(x, y):
    """The product in GCM's field of 2^128 elements."""
    z = 0
    for i in range(127, -1, -1):
        if x >> i & 1:
            z ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return z


def gcm(key, nonce, data):
    cipher = "aes-%d-ecb" % (8 * len(key))
    blocks = (len(data) + 15) // 16
    counters = b"".join(nonce + struct.pack(">I", i + 1) for i in range(blocks + 1))
    stream = openssl(cipher, key, counters)
    encrypted = bytes(a ^ b for a, b in zip(data, stream[16:]))
    h = int.from_bytes(openssl(cipher, key, bytes(16)), "big")
    y = 0
    padded = encrypted + bytes(-len(encrypted) % 16) + struct.pack(">QQ", 0, 8 * len(encrypted))
    for i in range(0, len(padded), 16):
        y = multiply(y ^ int.from_bytes(padded[i:i + 16], "big"), h)
    return encrypted, bytes(a ^ b for a, b in zip(y.to_bytes(16, "big"), stream))


def block(generation, cipher, key, data, iv):
    tag = b""
    magic = {"AES-GCM": 0x7F3A5ED8, "AES-CBC": 0x7F3A5ED9, "SM4-CBC": 0x7F3A5EDA}[cipher]
    if generation == 1:
        magic = 0x7F3A5ED8
    if cipher == "AES-GCM":
        encrypted, tag = gcm(key, iv[:12], data)
    else:
        name = "sm4-cbc" if cipher == "SM4-CBC" else "aes-%d-cbc" % (8 * len(key))
        encrypted = openssl(name, key, data, iv, pad=True)
    if generation == 1:
        tag = b""
    return (struct.pack("<I", magic) + tag + struct.pack("<ii", 24 + len(encrypted), 16) + iv
            + struct.pack("<i", len(encrypted)) + encrypted)


def container(generation, cipher, key, data, size):
    """`data` in blocks of `size` plain bytes, so that entries lie across their borders."""
    out = b""
    for i in range(0, len(data), size):
        out += block(generation, cipher, key, data[i:i + size], bytes((i + 7 * k) % 256 for k in range(16)))
    return out


def safetensors(header, data, pad=True):
    header = header.encode()
    if pad:
        header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data


def write(folder, name, data):
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    with open(os.path.join(HERE, folder, name), "wb") as f:
        f.write(data)


def write_encrypted():
    write("encrypted", "plain.ckpt", plain())
    for generation in (1, 2):
        for cipher in ("AES-GCM", "AES-CBC", "SM4-CBC"):
            if generation == 1 and cipher == "SM4-CBC":
                continue
            for bits in (128, 192, 256):
                if cipher == "SM4-CBC" and bits != 128:
                    continue
                key = (KEY * 2)[:bits // 8]
                name = "generation%d_%s_%d.ckpt" % (generation, cipher.lower(), bits)
                write("encrypted", name, container(generation, cipher, key, plain(), 64))
    # Plain content of a multiple of 16 bytes: CBC then adds a whole block of padding.
    data = plain()
    data += entry("pad", tensor([3], "UInt8", b"abc"))
    data += field(15, bytes(-(len(data) + 2) % 16))
    assert len(data) % 16 == 0
    write("encrypted", "plain_aligned.ckpt", data)
    for cipher in ("AES-GCM", "AES-CBC"):
        name = "generation1_%s_aligned.ckpt" % cipher.lower()
        write("encrypted", name, container(1, cipher, KEY, data, 1 << 20))


def write_ckpt():
    a = entry("w", tensor([2, 2], "Float32", floats(1, 2, 3, 4)))
    write("ckpt", "plain", plain())
    write("ckpt", "crc", plain() + b"crc_num" + zlib.crc32(plain()).to_bytes(10, "big"))
    write("ckpt", "two_pieces", entry("w", tensor([2, 2], "Float32", floats(1)))
          + entry("w", tensor([2, 2], "Float32", floats(2, 3, 4))))
    write("ckpt", "packed", entry("w", tensor([2, 2], "Float32", floats(1, 2, 3, 4), packed=True)))
    write("ckpt", "unknown_fields", a + field(15, b"abc") + b"\x78\x05")
    keys = tensor([2], "int32", struct.pack("<2i", 3, 1))
    values = tensor([2, 1], "float32", floats(1, 2))
    status = tensor([2], "int32", struct.pack("<2i", 0, 0))
    table = field(1, keys) + field(1, values) + field(1, status)
    write("ckpt", "map", entry("t", table, 3) + entry("t", table, 3) + a)
    write("ckpt", "bf16_as_f32", entry("w", tensor([2], "BFloat16", floats(1, 2))))
    write("ckpt", "old_scalar", entry("lr", tensor([0], "Float32", floats(0.1))))
    write("ckpt", "empty_tensor", entry("e", tensor([0], "Float32", b"")))
    write("ckpt", "negative_dim", entry("w", tensor([-1, 4], "Float32", floats(1, 2, 3, 4))))
    write("ckpt", "huge_dims", entry("w", tensor([1 << 40, 1 << 40], "Float32", floats(1))))
    for size in ((1 << 31) - 1, 1 << 31, (1 << 63) - 1, 1 << 63, (1 << 64) - 1):
        write("ckpt", "length_%x" % size, a + b"\x0a" + varint(size) + b"\x0a\x01w")
    write("ckpt", "strategy", b"\x08\x01\x12\x04\x0a\x02ab")
    write("ckpt", "encrypted", container(2, "AES-GCM", KEY, plain(), 64))
    write("ckpt", "encrypted_old", container(1, "AES-CBC", KEY, plain(), 64))


def write_safetensors():
    one = '"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
    write("safetensors", "one", safetensors("{%s}" % one, floats(1, 2)))
    write("safetensors", "metadata", safetensors('{"__metadata__":{"format":"ms"},%s}' % one, floats(1, 2)))
    write("safetensors", "empty", safetensors("{}", b""))
    write("safetensors", "empty_tensor", safetensors(
        '{"e":{"dtype":"F16","shape":[2,0],"data_offsets":[8,8]},%s}' % one, floats(1, 2)))
    write("safetensors", "gap", safetensors('{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', floats(1, 2)))
    write("safetensors", "overlap", safetensors(
        '{"v":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},%s}' % one, floats(1, 2)))
    write("safetensors", "huge_offsets", safetensors(
        '{"w":{"dtype":"F32","shape":[2],"data_offsets":[18446744073709551608,18446744073709551615]}}', b""))
    write("safetensors", "huge_shape", safetensors(
        '{"w":{"dtype":"F64","shape":[4611686018427387904,4],"data_offsets":[0,8]}}', floats(1, 2)))
    write("safetensors", "negative_shape", safetensors(
        '{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}', floats(1, 2)))
    write("safetensors", "twice", safetensors("{%s,%s}" % (one, one), floats(1, 2)))
    write("safetensors", "deep", safetensors('{"w":' + "[" * 100 + "]" * 100 + "}", b""))
    write("safetensors", "length_beyond", struct.pack("<Q", 99_999_999) + b"{}")
    write("safetensors", "index.json", b'{"metadata":{},"weight_map":{"w":"../one.safetensors"}}')


def write_json():
    for i, text in enumerate(['{"a":[1,-2.5e3,"x\\u00e9",true,null]}', "[" * 70 + "]" * 70, '{"a":1,"a":2}',
                              "18446744073709551615", "-9223372036854775809", '"\\ud800"', '{"a":{"b":[{}]}}', "[1,]"]):
        write("json", "%02d" % i, text.encode())


def numbers(number, values, packed=False):
    if packed:
        return field(number, field(1, b"".join(varint(v) for v in values)))
    return field(number, b"".join(b"\x08" + varint(v) for v in values))


def cut(name, matrix, maps, more=b"", packed=False):
    """A parameter of MindSpore's strategy; `maps` is one flat tensor map or several."""
    body = numbers(1, matrix, packed)
    for one in maps:
        body += numbers(2, one, packed)
    return field(3, field(1, name.encode()) + field(2, body + more))


def operator(name, stage, *operands):
    body = b"\x08" + varint(stage) + b"".join(numbers(2, one) for one in operands)
    return field(2, field(1, name.encode()) + field(2, body))


def write_strategies():
    new = field(3, b"") + field(4, b"") + b"\x28\x00\x30\x04\x38" + varint(-1)
    op = operator("MatMul_fc.w", 0, [2, 1], [1, 4])
    files = {
        "old": cut("fc.w", [2, 4], [[-1, 0]]),
        "plain": op + cut("fc.w", [2, 4], [[-1, 0]], new) + cut("fc.b", [8], [[-1]], new),
        "packed": cut("fc.w", [2, 4], [[-1, 0]], packed=True),
        "nested": cut("fc.w", [2, 2, 2], [[0, 2], [1], [-1]]) + cut("fc.b", [8], [[0], []]),
        "merged": op + operator("Add", 1) + cut("0-a-b", [2], [[0]]) + cut("1-a-b", [2], [[-1]]),
        "second_stage": operator("Add", 1) + cut("w", [2], [[0]]),
        "rows": cut("e", [2], [[0, -1]], numbers(3, [5, 3]) + numbers(4, [0, 5]) + b"\x28\x03"),
        "unknown_fields": op + b"\x48\x05" + cut("w", [2], [[0]]) + field(30, b"x"),
        "newer_layout": cut("w", [2], [[0]], b"\x40\x01"),
        "ones": cut("w", [], [[-1, -1]]),
        "huge_matrix": cut("w", [1 << 62, 1 << 62], [[0]]),
        "zero": cut("w", [0], [[0]]),
    }
    for name, body in files.items():
        write("strategy_proto", name, b"\x08\x01" + body)
    flat = ('{"dev_matrix":[2,4],"tensor_map":[-1,0],"tensor_shape":[96,16],"field":0,'
            '"opt_weight_shard_step":4,"opt_weight_shard_size":-1}')
    texts = {
        "plain": '{"current_stage":2,"parallel_layout_item":{"w":%s},"parallel_strategy_item":'
                 '{"Op":{"stage":0,"parallel_strategy":[[2,1],[1,4]]}}}' % flat,
        "merged": '{"parallel_layout_item":{"0-w":%s,"1-w":%s}}' % (flat, flat),
        "nested": '{"parallel_layout_item":{"w":{"dev_matrix":[2,2],"tensor_map":[[0,1],-1]}}}',
        "rows": '{"parallel_layout_item":{"e":{"dev_matrix":[2],"tensor_map":[0],'
                '"param_split_shape":[5,3],"indices_offset":[0,5]}}}',
        "newer": '{"current_stage":1,"parallel_out_strategy_item":{},"parallel_layout_item":{"w":%s}}' % flat,
        "misspelt": '{"current_stage":1,"parallel_layout_items":{}}',
        "huge": '{"parallel_layout_item":{"w":{"dev_matrix":[9223372036854775807],"tensor_map":[0]}}}',
    }
    for name, text in texts.items():
        write("strategy_json", name, text.encode())
    texts = {
        "plain": "# Eight ranks.\nmesh {dp=2,tp=4}\n\nlayers.*.w  [tp, -]  opt=2 step=4\n*  [...]\n",
        "stages": 'saves 2\nmesh {tp=2}\nstages 2\nstage 0\ne [tp, -] rows=5,3 offsets=0,5 field=2\n'
                  'stage 1\n"a b" {d=2} [d] shape=4\noperator Op [2,1] []\n',
        "ranks": "mesh {a=2,b=2 @ 3 1 2 0}\nw [b a] +\nv [-] +a max:b\n",
        "hidden": "mesh {a=2}\n*.w [a]\nx.w [-]\n",
        "control_byte": "mesh {a=2}\n*.\x7f [a]\nx.w [-]\n",
        "name": 'mesh {a=2}\n"\\u00e4\\n\\"" [a]\n',
    }
    for name, text in texts.items():
        write("layouts_txt", name, text.encode())

def write_metadata_json():
    """Over two files a and b that both hold w f32[2,2] and b f32[2]."""
    def parts(shape, cuts, local, numbers, layout="null"):
        chunks = ",".join('{"global_offset":[%d],"local_shape":%s}' % (n, local) for n in numbers)
        return ('{"properties":{"dtype":"Float32","replica_id":0,"allow_shape_mismatch":false,"allow_to_save":true},'
                '"global_shape":%s,"axis_fragmentations":%s,"layout":%s,"chunk":[%s]}' % (shape, cuts, layout, chunks))

    def at(*files):
        return "[%s]" % ",".join('{"file_name":"%s.safetensors","storage_rank":%d,"rank_group":[%d]}' % (f, r, r)
                                 for r, f in enumerate(files))

    layout = ('{"device_matrix":[2,1],"tensor_map":[1,[-1,0]],"interleaved_parallel":false,'
              '"alias_name":["x","y"],"rank_list":[%s]}')
    good = ('{"state_dict_metadata":{"w":%s,"b":%s},"storage_data":{"(\'w\', (0,))":%s,"(\'w\', (1,))":%s,'
            '"(\'b\', (0,))":%s}}')
    second = '[{"file_name":"b.safetensors","storage_rank":1}]'
    whole = parts("[2]", "[1]", "[2]", [0])
    write("metadata_json", "rows", (good % (parts("[4,2]", "[2,1]", "[2,2]", [0, 1], layout % "0,1"), whole,
                                            at("a"), second, at("a", "b"))).encode())
    write("metadata_json", "columns", (good % (parts("[2,4]", "[1,2]", "[2,2]", [0, 1]), whole,
                                               at("a"), second, at("a", "b"))).encode())
    write("metadata_json", "hole", (good % (parts("[8,2]", "[4,1]", "[2,2]", [0, 1]), whole,
                                            at("a"), second, at("a", "b"))).encode())
    write("metadata_json", "huge", (good % (parts("[4611686018427387904,2]", "[2305843009213693952,1]", "[2,2]", [0, 1]),
                                            whole, at("a"), second, at("a", "b"))).encode())
    write("metadata_json", "layout_contradicts", (
        good % (parts("[4,2]", "[2,1]", "[2,2]", [0, 1], layout % "1,0"), whole, at("a"), second, at("a", "b"))).encode())
    write("metadata_json", "missing_file", (
        good % (parts("[4,2]", "[2,1]", "[2,2]", [0, 1]), whole, at("a"), second, at("a", "b", "c"))).encode())
    write("metadata_json", "outside", (
        good % (parts("[4,2]", "[2,1]", "[2,2]", [0, 1]), whole, at("../a"), second, at("a", "b"))).encode())
    write("metadata_json", "map", b'{"metadata":{"total_size":24},"weight_map":{"w":"a.safetensors","b":"a.safetensors"}}')
    write("metadata_json", "flat_map", b'{"w":"a.safetensors","b":"a.safetensors"}')
    write("metadata_json", "two_files", b'{"weight_map":{"w":"a.safetensors","b":"b.safetensors"}}')
    write("metadata_json", "itself", b'{"weight_map":{"w":"model.safetensors.index.json"}}')


def write_hub_cards():
    keys = ("backbone-name module-type fine-tunable model-version author update-time repo-link user-id used-for "
            "mindspore-version license summary").split()
    front = "".join("%s: x\n" % key for key in keys)
    asset = ("asset:\n-\n    file-format: ckpt  \n    asset-link: <https://h/x.ckpt>  \n    asset-sha256: %s\n" % ("ab" * 32))

    def card(name, text, before="# X\n\n---\n", after="---\n\n## Introduction\n"):
        write("hub_card", name, (before + text + after).encode())

    card("plain", "model-name: LeNet\ntrain-dataset: mnist\naccuracy: 0.98\ninput-shape: [1, 32, 32]\n" + front + asset)
    card("windows", ("model-name: LeNet\n" + front + asset).replace("\n", "\r\n"), "\ufeff---\r\n", "---\r\n")
    card("tabs", front + asset.replace("    ", "\t"))
    card("wide_colon", "license\uff1aApache2.0\nmodel-name\uff1a\u6a21\u578b\n" + front)
    card("no_yaml_values", front + "evaluation: PSNR: 38 | SSIM: 1\nnote: *best*\nother: - none\nevaluation: -\n")
    card("not_closed", front, after="")
    card("three_marks", front, after="---\n--- | ---\n")
    card("laughs", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n")
    card("deep", "a: " + "[" * 40 + "]" * 40 + "\n")
    card("open", "a: " + "[" * 400 + "\n")
    card("one_asset", front + "asset:\n  file-format: pth\n  asset-link: '[x](http://h/../x)'\n  asset-sha256: 12\n")
    card("nested_twice", front + front + "asset: [1, {a: b}, [c]]\n? [k]\n: v\n")
    write("hub_card", "bytes_in_key", b"---\n" + front.encode() + b"asset-link\xcb: x\nmodel\xff-name: y\n---\n")
    card("block_text", front + "text: |\n  a: b\n  c\nmore: >-\n  d\n")


write_encrypted()
write_ckpt()
write_safetensors()
write_json()
write_strategies()
write_metadata_json()
write_hub_cards()
