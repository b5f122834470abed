"""Stands in for the authors' file of this name: the same class, arguments and folders, none of their code."""

from pathlib import Path

import matcha_stand_in
import torch
from cosyvoice_stand_in import SAMPLES


class AudioDecoder:
    def __init__(self, config_path, flow_ckpt_path, hift_ckpt_path, device="cuda"):
        assert Path(config_path).read_text() and matcha_stand_in.__file__
        self.flow, self.hift = torch.nn.Dropout(0.5), torch.nn.Identity()
        self.flow.load_state_dict(torch.load(flow_ckpt_path, map_location=device))
        self.hift.load_state_dict(torch.load(hift_ckpt_path, map_location=device))

    def offline_inference(self, token):
        """[1, samples] of codes, [1, n]: a tone a code, and noise that flow matching would begin with."""
        assert token.shape[0] == 1
        time = torch.arange(SAMPLES) / 22_050
        tones = torch.sin(6.28 * (200 + 20 * token[0][:, None]) * time)
        return self.flow(0.1 * tones.reshape(1, -1) + 0.001 * torch.randn(1, tones.numel()))
