"""A stand-in for the published configuration_omni.py: the same names, written for tests."""

from transformers import PretrainedConfig


class OmniConfig(PretrainedConfig):
    model_type = "omni"

    def __init__(
        self,
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        rope_theta=1e4,
        rms_norm_eps=1e-6,
        max_position_embeddings=2048,
        multimodal=("audio", "audiogen"),
        audio_config=None,
        use_cache=False,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        **others,
    ):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.intermediate_size = intermediate_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.num_key_value_heads = num_key_value_heads
        self.head_dim = head_dim
        self.rope_theta = rope_theta
        self.rms_norm_eps = rms_norm_eps
        self.max_position_embeddings = max_position_embeddings
        self.multimodal = list(multimodal)
        self.use_cache = use_cache
        if audio_config is not None:
            audio_config = PretrainedConfig(**audio_config)
            audio_config.vq_config = PretrainedConfig(**audio_config.vq_config)
            self.audio_config = audio_config
        super().__init__(
            pad_token_id=pad_token_id, bos_token_id=bos_token_id, eos_token_id=eos_token_id, **others
        )

    def to_dict(self):
        told = super().to_dict()
        if "audio_config" in told:
            told["audio_config"] = self.audio_config.to_dict()
            told["audio_config"]["vq_config"] = self.audio_config.vq_config.to_dict()
        return told
