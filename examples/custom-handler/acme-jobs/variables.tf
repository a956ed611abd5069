variable "layer_package" {
  description = "The path of the layer's zip, which build_layer.py builds."
  type        = string
  nullable    = false
}
