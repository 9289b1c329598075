"""Procedural materials. In: colours as linear RGB 0..1. Out: Blender materials.

Nothing is loaded from a file: every texture is noise, bricks or a plain colour.
"""
import bpy

_made = {}


def _nodes(name):
    m = bpy.data.materials.new(name)
    m.use_nodes = True
    return m, m.node_tree, m.node_tree.nodes["Principled BSDF"]


def reset():
    _made.clear()


def _link(nt, a, b):
    nt.links.new(a, b)


def _coords(nt, where):
    return nt.nodes.new("ShaderNodeTexCoord").outputs[where]


def plain(col, rough=0.7, metal=0.0, vary=0.0, scale=8.0, bump=0.0, spec=0.5, where="Object", coat=0.0):
    """One colour, optionally mottled by noise and roughened by a bump."""
    key = ("plain", tuple(col), rough, metal, vary, scale, bump, spec, where, coat)
    if key in _made:
        return _made[key]
    m, nt, b = _nodes("plain")
    b.inputs["Base Color"].default_value = (*col, 1)
    b.inputs["Roughness"].default_value = rough
    b.inputs["Metallic"].default_value = metal
    b.inputs["Specular"].default_value = spec
    b.inputs["Clearcoat"].default_value = coat
    if vary or bump:
        n = nt.nodes.new("ShaderNodeTexNoise")
        n.inputs["Scale"].default_value = scale
        n.inputs["Detail"].default_value = 6
        _link(nt, _coords(nt, where), n.inputs["Vector"])
        if vary:
            r = nt.nodes.new("ShaderNodeValToRGB")
            r.color_ramp.elements[0].position, r.color_ramp.elements[1].position = 0.3, 0.7
            r.color_ramp.elements[0].color = (*[c * (1 - vary) for c in col], 1)
            r.color_ramp.elements[1].color = (*[min(1, c * (1 + vary)) for c in col], 1)
            _link(nt, n.outputs["Fac"], r.inputs[0])
            _link(nt, r.outputs[0], b.inputs["Base Color"])
        if bump:
            k = nt.nodes.new("ShaderNodeBump")
            k.inputs["Strength"].default_value = bump
            k.inputs["Distance"].default_value = 0.03
            _link(nt, n.outputs["Fac"], k.inputs["Height"])
            _link(nt, k.outputs[0], b.inputs["Normal"])
    _made[key] = m
    return m


def worn(col_a, col_b, fine=90.0, stain=0.35, rough=0.92, bump=0.15):
    """Asphalt or concrete: fine grain under large stains."""
    m, nt, b = _nodes("worn")
    co = _coords(nt, "Object")
    b.inputs["Roughness"].default_value = rough
    grain = nt.nodes.new("ShaderNodeTexNoise")
    grain.inputs["Scale"].default_value, grain.inputs["Detail"].default_value = fine, 4
    big = nt.nodes.new("ShaderNodeTexNoise")
    big.inputs["Scale"].default_value, big.inputs["Detail"].default_value = 0.45, 5
    for n in (grain, big):
        _link(nt, co, n.inputs["Vector"])
    r = nt.nodes.new("ShaderNodeValToRGB")
    r.color_ramp.elements[0].position, r.color_ramp.elements[1].position = 0.35, 0.65
    r.color_ramp.elements[0].color, r.color_ramp.elements[1].color = (*col_a, 1), (*col_b, 1)
    _link(nt, grain.outputs["Fac"], r.inputs[0])
    s = nt.nodes.new("ShaderNodeValToRGB")
    s.color_ramp.elements[0].position, s.color_ramp.elements[1].position = 0.38, 0.62
    s.color_ramp.elements[0].color = (1 - stain,) * 3 + (1,)
    s.color_ramp.elements[1].color = (1, 1, 1, 1)
    _link(nt, big.outputs["Fac"], s.inputs[0])
    mix = nt.nodes.new("ShaderNodeMixRGB")
    mix.blend_type = "MULTIPLY"
    mix.inputs[0].default_value = 1
    _link(nt, r.outputs[0], mix.inputs[1])
    _link(nt, s.outputs[0], mix.inputs[2])
    _link(nt, mix.outputs[0], b.inputs["Base Color"])
    k = nt.nodes.new("ShaderNodeBump")
    k.inputs["Strength"].default_value, k.inputs["Distance"].default_value = bump, 0.01
    _link(nt, grain.outputs["Fac"], k.inputs["Height"])
    _link(nt, k.outputs[0], b.inputs["Normal"])
    return m


def bricks(c1, c2, mortar, width_m, height_m, gap_m=0.01, offset=0.5, upright=False, rough=0.85, stain=0.25):
    """Paving (flat) or masonry (`upright`: rows run along z), sized in metres."""
    m, nt, b = _nodes("bricks")
    b.inputs["Roughness"].default_value = rough
    vec = _coords(nt, "Object")
    if upright:
        sep, com = nt.nodes.new("ShaderNodeSeparateXYZ"), nt.nodes.new("ShaderNodeCombineXYZ")
        add = nt.nodes.new("ShaderNodeMath")
        _link(nt, vec, sep.inputs[0])
        _link(nt, sep.outputs[0], add.inputs[0])
        _link(nt, sep.outputs[1], add.inputs[1])
        _link(nt, add.outputs[0], com.inputs[0])
        _link(nt, sep.outputs[2], com.inputs[1])
        vec = com.outputs[0]
    t = nt.nodes.new("ShaderNodeTexBrick")
    t.offset = offset
    for name, v in (("Scale", 1.0), ("Mortar Size", gap_m), ("Brick Width", width_m), ("Row Height", height_m)):
        t.inputs[name].default_value = v
    for name, c in (("Color1", c1), ("Color2", c2), ("Mortar", mortar)):
        t.inputs[name].default_value = (*c, 1)
    _link(nt, vec, t.inputs["Vector"])
    big = nt.nodes.new("ShaderNodeTexNoise")
    big.inputs["Scale"].default_value, big.inputs["Detail"].default_value = 0.8, 8
    _link(nt, _coords(nt, "Object"), big.inputs["Vector"])
    s = nt.nodes.new("ShaderNodeValToRGB")
    s.color_ramp.elements[0].position, s.color_ramp.elements[1].position = 0.35, 0.65
    s.color_ramp.elements[0].color = (1 - stain,) * 3 + (1,)
    s.color_ramp.elements[1].color = (1, 1, 1, 1)
    _link(nt, big.outputs["Fac"], s.inputs[0])
    mix = nt.nodes.new("ShaderNodeMixRGB")
    mix.blend_type = "MULTIPLY"
    mix.inputs[0].default_value = 1
    _link(nt, t.outputs["Color"], mix.inputs[1])
    _link(nt, s.outputs[0], mix.inputs[2])
    _link(nt, mix.outputs[0], b.inputs["Base Color"])
    return m


def glass(col=(0.03, 0.045, 0.05), rough=0.06):
    return plain(col, rough=rough, spec=0.9)


def paint(col):
    return plain(col, rough=0.35, spec=0.5, coat=0.8)


def plastic_film(col):
    """A rubbish bag: glossy and creased."""
    return plain(col, rough=0.28, vary=0.2, scale=7, bump=0.9, spec=0.5, where="Object")


def cloth(col):
    return plain(col, rough=0.95, vary=0.22, scale=9, bump=0.5, spec=0.1)


def glow(col, strength):
    m, nt, b = _nodes("glow")
    b.inputs["Base Color"].default_value = (*col, 1)
    b.inputs["Emission"].default_value = (*col, 1)
    b.inputs["Emission Strength"].default_value = strength
    return m
